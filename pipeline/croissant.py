"""A release as Croissant 1.1 (MLCommons): its files with their digests, and the fields of its documents."""

from __future__ import annotations

from typing import Any

from pipeline.release_card import Card

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
PARQUET = "application/x-parquet"
DOCUMENTS, PARTS = "documents", "parquet-files"  # ids of the record set and of the file set
# Croissant's own context (its specification, appendix 1).
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TEXT, WHOLE, NUMBER = "sc:Text", "sc:Integer", "sc:Float"
FIELDS = {
    "url": (TEXT, "address of the page"),
    "date": (TEXT, "when the page was crawled, ISO 8601"),
    "digest": (TEXT, "digest of the page's WARC record"),
    "title": (TEXT, "title of the page"),
    "text": (TEXT, "paragraphs joined by newlines"),
    "cc_segment": (TEXT, "file of the crawl that has the page"),
    "original_length": (WHOLE, "length before deduplication, bytes"),
    "original_nlines": (WHOLE, "lines before deduplication"),
    "length": (WHOLE, "length of the text, characters"),
    "nlines": (WHOLE, "lines of the text"),
    "line_ids": (WHOLE, "which lines of the page were kept, counted from 0"),
    "language": (TEXT, "code of the language"),
    "language_score": (NUMBER, "score of the language, 0 to 1, two decimals"),
    "perplexity": (NUMBER, "perplexity of the language's KenLM model; null where there is none"),
    "crawl": (TEXT, "dump of the page"),
}
SIGNALS = {
    "words": (WHOLE, "words; characters in scripts without spaces"),
    "mean_word_length": (NUMBER, "mean length of words, characters"),
    "symbol_ratio": (NUMBER, "share of characters that are no letter, mark, digit or space"),
    "digit_ratio": (NUMBER, "share of digits among the characters"),
    "repeated_ngrams": (NUMBER, "share of five-word windows that the document had before"),
    "ended_lines": (NUMBER, "share of lines that end with a sentence's mark"),
}
BENCHMARKS = {"benchmarks": (TEXT, "benchmarks whose dev or test text the document holds")}
LISTS = frozenset({"line_ids", "benchmarks"})


def columns(card: Card) -> dict[str, tuple[str, str]]:
    """Column -> type and meaning, of the release's files."""
    return FIELDS | (SIGNALS if card.has_signals else {}) | (BENCHMARKS if card.is_marked else {})


def croissant(card: Card, description: str, licence: str, url: str) -> dict[str, Any]:
    """The JSON-LD; paths are relative to the release's folder.  `licence` is a URL, `url` where the release is read."""
    found = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": card.name,
        "description": description,
        "license": licence,
        "url": url,
        # Releases have no numbers, and Croissant wants a semantic version.
        "version": f"1.0.0+{card.version}" if card.version else "",
        "datePublished": card.published,
        "inLanguage": sorted(card.languages),
        "distribution": [_parts(card), *(_file(artifact) for artifact in card.files)],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": DOCUMENTS,
                "name": DOCUMENTS,
                "description": "one document, a page without the paragraphs that were removed, a record",
                "field": [*(_field(name, *about) for name, about in columns(card).items()), _bucket(card)],
            }
        ],
    }
    return {name: value for name, value in found.items() if value}


def _parts(card: Card) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": PARTS,
        "name": PARTS,
        "description": "the documents, by language" + (" and perplexity bucket" if card.hive else ""),
        "encodingFormat": PARQUET,
        "includes": "lang=*/bucket=*/*.parquet" if card.hive else "lang=*/*.parquet",
    }


def _file(artifact: Any) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": artifact.name,
        "name": artifact.name,
        "contentUrl": artifact.name,
        "contentSize": f"{artifact.size_bytes} B",
        "encodingFormat": PARQUET,
        "sha256": artifact.sha256,
    }


def _field(name: str, type_: str, meaning: str) -> dict[str, Any]:
    field = {
        "@type": "cr:Field",
        "@id": f"{DOCUMENTS}/{name}",
        "name": name,
        "description": meaning,
        "dataType": type_,
        "source": {"fileSet": {"@id": PARTS}, "extract": {"column": name}},
    }
    return field | ({"isArray": True, "arrayShape": "-1"} if name in LISTS else {})


def _bucket(card: Card) -> dict[str, Any]:
    """A column of its own, or the name of the folder."""
    field = _field("bucket", TEXT, "perplexity bucket: head, middle, tail; all where there is no language model")
    if card.hive:
        field["source"] = {
            "fileSet": {"@id": PARTS},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": "^.*bucket=([^/]+)/.*$"},
        }
    return field
