"""The script and the style of the page of all checkpoints: no library, no server, no other file."""

STYLE = """<style>
.bd-article .cell_output .output:has(.atlas), .bd-article .cell_output .text_html:has(.atlas) { overflow: visible; }
.atlas-bar { position: sticky; top: 0; z-index: 2; display: flex; flex-wrap: wrap; gap: 0 0.8rem; align-items: center;
  padding: 0.4rem 0; background: var(--pst-color-background, #fff); border-bottom: 1px solid var(--said-faint); }
.bd-article .atlas-bar { top: 3.4rem; }
.atlas-bar label { font-weight: 600; margin: 0; }
.atlas-bar input { flex: 1 1 12rem; min-height: 2rem; min-width: 0; }
.atlas-bar input:focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
.atlas-bar output { flex: 1 1 100%; font-weight: 600; min-height: 1.5em; font-variant-numeric: tabular-nums; }
.atlas-legend { color: var(--said-faint); font-size: 0.9rem; }
.atlas-both { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 0 1.5rem;
  border-bottom: 1px solid var(--said-bar); margin-bottom: 0.7rem; }
.atlas-table td, .atlas-table th { min-width: 11rem; padding: 0.3rem 0.6rem; text-align: left; vertical-align: top;
  font-weight: normal; border-bottom: 1px solid var(--said-bar); }
.atlas-table thead th { font-weight: 600; }
.atlas-table summary { cursor: pointer; font-weight: 600; }
@media print { .atlas-bar { position: static; } }
</style>"""

SCRIPT = """
(() => {
  const place = document.getElementById("atlas"), by = (name) => place.querySelector(`#atlas-${name}`);
  const told = JSON.parse(by("data").textContent), slider = by("step"), list = by("sentences");
  const make = (kind, name, text, ...inside) => {
    const made = document.createElement(kind);
    if (name) made.className = name;
    if (text) made.textContent = text;
    made.append(...inside);
    return made;
  };
  const givenBack = (sentence, answers) => {
    const line = make("p", "said-sentence");
    const plain = (text) => text.trim() && line.append(make("span", "", text.trim()));
    let done = 0;
    sentence.words.forEach(([start, end], at) => {
      const word = sentence.text.slice(start, end), right = answers[at] < 0;
      plain(sentence.text.slice(done, start));
      const said = make("span", `said-word said-${right ? "right" : "wrong"}`);
      said.append(make("b", "", right ? word : told.texts[answers[at]]));
      if (!right) said.append(make("span", "said-heard", " instead of "), make("small", "", word));
      line.append(said, " ");
      done = end;
    });
    plain(sentence.text.slice(done));
    return line;
  };
  const gap = (sentence, answers, own) => {
    const [start, end, pieces] = sentence.gap, word = sentence.text.slice(start, end);
    const text = make("p", "", "", sentence.text.slice(0, start), make("u", "", word), sentence.text.slice(end));
    const chips = answers.map(([number, share, label, right]) => {
      const chip = make("li", right ? "said-it" : "", `${told.texts[number]} `, make("small", "", label));
      chip.style.setProperty("--p", share);
      if (right) chip.append(" \\u2713", make("span", "said-heard", " right"));
      return chip;
    });
    const several = pieces > 1 ? `, ${pieces} pieces` : "";
    if (!answers.some((answer) => answer[3])) chips.push(make("li", "said-true", `${word}${several}: ${own}`));
    return make("div", "said-gap", "", text, make("ol", "said-answers", "", ...chips));
  };
  const show = () => {
    const at = Number(slider.value);
    slider.setAttribute("aria-valuetext", told.names[at]);
    by("said").textContent = `${told.names[at]}: ${told.counts[at]}`;
    list.replaceChildren(...told.sentences.map((sentence, number) => {
      const both = make("div", "atlas-both");
      if (sentence.words.length) both.append(givenBack(sentence, told.given[at][number]));
      if (sentence.gap) both.append(gap(sentence, told.answers[at][number], told.own[at][number]));
      return both;
    }));
  };
  slider.addEventListener("input", show);
  show();
  place.querySelector(".atlas-live").hidden = false;
  place.querySelector(".atlas-table").open = false;
})();
"""
