"""The notebooks and how many figures each draws."""

FIGURES = {
    "index": 1,
    "clock": 2,
    "pretraining": 3,
    "tokens": 6,
    "frequency": 3,
    "edges": 4,
    "exposure": 3,
    "layers": 2,
    "attention": 4,
    "downstream": 3,
    "grammar": 3,
    "knowledge": 6,
    "reference_runs": 2,
    "seeds": 0,
    "recipes": 1,
    "published_probing": 1,
    "overlap": 0,
    "tables": 0,
    "phases": 2,
    "build": 0,
}
