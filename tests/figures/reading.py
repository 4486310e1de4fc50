"""What stands in the HTML of a figure."""

import base64
import io
import re

import pandas as pd


def answer_of(figure):
    return re.search(r"<strong>(.*?)</strong>", figure)[1]


def svg_of(figure):
    return base64.b64decode(re.search(r'src="data:image/svg\+xml;base64,([^"]*)"', figure)[1])


def csv_of(figure):
    return pd.read_csv(io.BytesIO(base64.b64decode(re.search(r'href="data:text/csv;base64,([^"]*)"', figure)[1])))


def caption_of(figure):
    return re.search(r"<figcaption>(.*?)<a ", figure)[1]
