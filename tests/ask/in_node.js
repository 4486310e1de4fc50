// What the page's own scripts make of texts, for tests/ask and benchmarks/ask.py:
//     node in_node.js PAGE RUN STEP... < texts.json > answers.json
// A text is [text, [position...]]; its answer is ids, spans, and by step the logits at the positions, by model.
"use strict";
const fs = require("fs"), path = require("path"), vm = require("vm");
const [page, run, ...steps] = process.argv.slice(2);
const blocks = {};
const context = vm.createContext({
  atob, Blob, Response, DecompressionStream, console, performance, TextDecoder, self: { postMessage() {} },
  embryologyAsk: { received(_, step, content) { blocks[step] = content; } },
});
const evaluate = (text) => vm.runInContext(text, context);
const own = fs.readFileSync(path.join(page, "ask.js"), "utf8").split("\n")[1];
evaluate(JSON.parse(own.replace(/^const embryologyHead = /, "").replace(/;$/, "")).worker);
for (const file of fs.readdirSync(path.join(page, run))) evaluate(fs.readFileSync(path.join(page, run, file), "utf8"));
Object.assign(context, { blocks, steps: steps.map(Number), texts: JSON.parse(fs.readFileSync(0, "utf8")) });
evaluate(`(async () => {
  const run = await Run.opened(blocks.run), answers = [];
  for (const [text] of texts) answers.push({ ...run.tokenizer.encode(text), logits: {} });
  const milliseconds = { load: {}, pass: {} };
  for (const step of run.weights.about.steps.slice().reverse()) {
    let start = performance.now();
    await run.weights.add(step, blocks[step]);
    milliseconds.load[step] = performance.now() - start;
    if (!steps.includes(step)) continue;
    const networks = run.weights.networks(step);
    start = performance.now();
    texts.forEach(([, positions], i) => {
      if (!positions.length) return;
      const { ids } = answers[i], here = answers[i].logits[step] = {};
      if (networks.words) here.words = networks.words.logits(ids, positions).map((each) => Array.from(each));
      if (networks.replaced) here.replaced = Array.from(networks.replaced.replaced(ids, positions));
    });
    milliseconds.pass[step] = performance.now() - start;
  }
  return JSON.stringify({ answers, milliseconds });
})()`).then((text) => process.stdout.write(text), (error) => { console.error(error); process.exit(1); });
