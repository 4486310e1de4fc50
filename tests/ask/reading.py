"""What a reader of the page sees and types."""

import json

STATUS, ALERT = "document.querySelector('.ask-status').textContent", "document.querySelector('.ask-alert').textContent"
VERDICT = "document.querySelector('.ask-verdict').textContent"


def typed(page, text, selector="textarea", number=0):
    """As if a reader had typed it into the field of that number."""
    page.evaluate(
        f"(() => {{ const field = document.querySelectorAll({json.dumps(selector)})[{number}];"
        f"field.value = {json.dumps(text)}; field.dispatchEvent(new Event('input')); }})()"
    )
