"""What a reader may begin with: sentences, each with a word to mask, and pairs that differ in little."""

EXAMPLES = (
    ("The capital of France is Paris.", "of"),
    ("She opened the door and saw her brother.", "her"),
    ("The river flows through the city and into the sea.", "through"),
    ("He was born in 1912 in a small town in Germany.", "born"),
    ("They have lived in this house for many years.", "have"),
    ("The dog barked at the man who crossed the street.", "who"),
    ("It is one of the largest islands in the world.", "largest"),
    ("The king and his son died in the war.", "his"),
    ("Water is made of hydrogen and oxygen.", "oxygen"),
    ("The film was directed by a woman from Japan.", "directed"),
    ("There are two languages that people speak there.", "are"),
    ("The United States is a country in North America.", "States"),
)
"""A sentence and the word in it that is masked at first."""
PAIRS = (
    ("The dogs are in the garden.", "The dogs is in the garden."),
    ("She has written many books.", "She has write many books."),
    ("The man hurt himself.", "The man hurt herself."),
    ("This is one of the oldest cities.", "This is one of the oldest city."),
)
"""Two sentences of which the first is good English."""
