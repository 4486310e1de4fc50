"""The paper's twelve claims, each with the rule by which runs speak for it or against it.

Rules were written before any of them was computed. A verdict proper rests on runs that began after the rule; what began
before is *exploratory*. :mod:`embryology.analysis.claims.verdicts` computes them.
"""

from embryology.analysis.claims import downstream, edges, facts, words

CLAIMS = (*words.CLAIMS, *edges.CLAIMS, *downstream.CLAIMS, *facts.CLAIMS)
