// SentencePiece's unigram segmentation for many texts at once, a word at a time.
// No piece reaches over a space, so the pieces that a word may have are looked up once and remembered; what is left of a
// text is the choice among them.  It is made with SentencePiece's own arithmetic, sums of floats from the text's
// beginning on, because the last bits of a long text's sum decide between pieces of almost equal scores.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "word_table.h"

namespace {

using ccnet::FNV_START;
using ccnet::fnv_step;

const char* const CAPSULE = "ccnet._pieces.model";
const char* const SPACE_MARK = "\xE2\x96\x81";  // U+2581, what SentencePiece writes for a space
const size_t SPACE_MARK_BYTES = 3;
const size_t MAX_WORDS = 1u << 17;
const uint32_t INERT_CODES = 1 << 16;
const int32_t NO_PIECE = -1;
const float LEAST_SUM = -90000;  // near -100,000 some versions of SentencePiece begin to count anew

// One piece that may stand at [start, end) of a normalised word.
struct Edge {
  uint32_t start, end;
  float score;
  bool unknown;
};

// The vocabulary as a tree of bytes; the children of all nodes share one table.
class Tree {
 public:
  Tree() : slots_(1 << 12), ends_(1, NO_PIECE) {}

  void add(const char* piece, size_t length, int32_t id) {
    uint32_t node = 0;
    for (size_t at = 0; at < length; at++) {
      const uint64_t key = key_of(node, piece[at]);
      Slot& slot = slots_[place(key)];
      if (slot.key) {
        node = slot.node;
        continue;
      }
      node = static_cast<uint32_t>(ends_.size());
      slot = {key, node};
      ends_.push_back(NO_PIECE);
      if (2 * ends_.size() >= slots_.size()) grow();
    }
    ends_[node] = id;
  }

  // The child by one byte; 0 where there is none.
  uint32_t child(uint32_t node, char byte) const { return slots_[place(key_of(node, byte))].node; }

  int32_t piece(uint32_t node) const { return ends_[node]; }

 private:
  struct Slot {
    uint64_t key = 0;
    uint32_t node = 0;
  };

  static uint64_t key_of(uint32_t node, char byte) {
    return (uint64_t(node) << 8 | static_cast<unsigned char>(byte)) + 1;
  }

  size_t place(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    size_t at = (key * 0x9E3779B97F4A7C15ull >> 20) & mask;
    while (slots_[at].key && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }

  void grow() {
    std::vector<Slot> before(2 * slots_.size());
    before.swap(slots_);
    for (const Slot& slot : before)
      if (slot.key) slots_[place(slot.key)] = slot;
  }

  std::vector<Slot> slots_;
  std::vector<int32_t> ends_;  // of a node the piece that ends there
};

struct Span {
  size_t text, edges;
  uint32_t length, count;
};

struct Best {
  float score;
  int32_t start;  // -1: nothing ends here yet
  bool unknown;
};

struct Model {
  Tree tree;
  std::vector<float> scores;
  float unknown_score = 0;
  PyObject* normalize = nullptr;
  std::string inert;        // of a code point whether normalisation leaves it as it is, whatever stands beside it
  ccnet::WordTable<Span> words{MAX_WORDS};
  std::string normal;       // of the words that are known, one after another
  std::vector<Edge> edges;  // likewise
  std::vector<Best> best;
  std::vector<std::pair<uint32_t, bool>> cuts;  // where a word's pieces end, and whether they are unknown

  ~Model() { Py_XDECREF(normalize); }

  static uint32_t character_bytes(char lead) {
    return "\1\1\1\1\1\1\1\1\1\1\1\1\2\2\3\4"[static_cast<unsigned char>(lead) >> 4];
  }

  void find_edges(const char* text, uint32_t length) {
    for (uint32_t start = 0; start < length;) {
      const uint32_t next = std::min(length, start + character_bytes(text[start]));
      bool single = false;
      uint32_t node = 0;
      for (uint32_t end = start; end < length && (node = tree.child(node, text[end]));) {
        end++;
        const int32_t piece = tree.piece(node);
        if (piece == NO_PIECE) continue;
        edges.push_back({start, end, scores[static_cast<size_t>(piece)], false});
        single = single || end == next;
      }
      if (!single) edges.push_back({start, next, unknown_score, true});
      start = next;
    }
  }

  // Looks a word up, or has it normalised.  False on a Python error, or where SentencePiece itself has to be asked about
  // the text (`ask`).
  bool look_up(const char* text, size_t length, uint32_t hash, Span& span, bool& ask) {
    if (const Span* known = words.find(text, length, hash)) {
      span = *known;
      return true;
    }
    if (std::string(text, length).find(SPACE_MARK) != std::string::npos) {
      ask = true;
      return false;
    }
    span = {normal.size(), edges.size(), 0, 0};
    if (is_inert(text, length))
      normal.append(SPACE_MARK).append(text, length);
    else if (!append_normalized(text, length))
      return false;
    span.length = static_cast<uint32_t>(normal.size() - span.text);
    find_edges(normal.data() + span.text, span.length);
    span.count = static_cast<uint32_t>(edges.size() - span.edges);
    if (length <= ccnet::MAX_WORD_BYTES) words.add(text, length, hash, span);
    return true;
  }

  bool is_inert(const char* text, size_t length) const {
    for (size_t at = 0; at < length;) {
      const auto* byte = reinterpret_cast<const unsigned char*>(text) + at;
      const uint32_t size = character_bytes(text[at]);
      if (size > 3) return false;
      const uint32_t code = size == 1   ? byte[0]
                            : size == 2 ? (byte[0] & 0x1Fu) << 6 | (byte[1] & 0x3Fu)
                                        : (byte[0] & 0x0Fu) << 12 | (byte[1] & 0x3Fu) << 6 | (byte[2] & 0x3Fu);
      if (!inert[code]) return false;
      at += size;
    }
    return true;
  }

  bool append_normalized(const char* text, size_t length) {
    PyObject* found = PyObject_CallFunction(normalize, "s#", text, Py_ssize_t(length));
    Py_ssize_t size = 0;
    const char* data = found ? PyUnicode_AsUTF8AndSize(found, &size) : nullptr;
    if (data) normal.append(data, static_cast<size_t>(size));
    Py_XDECREF(found);
    return data != nullptr;
  }

  void forget_a_long_word(size_t length, const Span& span) {
    if (length <= ccnet::MAX_WORD_BYTES) return;
    normal.resize(span.text);
    edges.resize(span.edges);
  }

  // Chooses a word's pieces and appends them, each behind a space; returns the sum of scores at the word's end.
  float choose(const Span& span, float sum, std::string& out, Py_ssize_t& pieces) {
    best.assign(span.length + 1, {0, -1, false});
    best[0].score = sum;
    for (size_t at = span.edges; at < span.edges + span.count; at++) {
      const Edge& edge = edges[at];
      Best& target = best[edge.end];
      const float candidate = edge.score + best[edge.start].score;
      if (target.start == -1 || candidate > target.score)
        target = {candidate, static_cast<int32_t>(edge.start), edge.unknown};
    }
    cuts.clear();
    for (uint32_t end = span.length; end > 0; end = static_cast<uint32_t>(best[end].start))
      cuts.emplace_back(end, best[end].unknown);
    const char* text = normal.data() + span.text;
    uint32_t start = 0;
    bool unknown_before = false;
    for (size_t at = cuts.size(); at-- > 0;) {
      const auto [end, unknown] = cuts[at];
      if (!(unknown && unknown_before)) {  // a run of unknown pieces is one
        if (pieces++) out.push_back(' ');
      }
      out.append(text + start, end - start);
      start = end, unknown_before = unknown;
    }
    return best[span.length].score;
  }

  bool encode(const char* text, size_t length, std::string& out, Py_ssize_t& pieces, bool& ask) {
    const char* const end = text + length;
    float sum = 0;
    out.clear();
    pieces = 0;
    while (text < end) {
      const char* begin = text;
      uint32_t hash = FNV_START;
      while (text < end && *text != ' ') hash = fnv_step(hash, *text++);
      if (text > begin) {
        const auto size = static_cast<size_t>(text - begin);
        Span span;
        if (words.full()) words.clear(), normal.clear(), edges.clear();
        if (!look_up(begin, size, hash, span, ask)) return false;
        if (span.length) sum = choose(span, sum, out, pieces);
        forget_a_long_word(size, span);
        ask = sum < LEAST_SUM;
        if (ask) return false;
      }
      text++;
    }
    return true;
  }
};

void release(PyObject* capsule) { delete static_cast<Model*>(PyCapsule_GetPointer(capsule, CAPSULE)); }

PyObject* load(PyObject*, PyObject* arguments) {
  PyObject *pieces, *normalize;
  const char* inert;
  Py_ssize_t codes;
  float unknown_score;
  if (!PyArg_ParseTuple(arguments, "O!fOy#", &PyList_Type, &pieces, &unknown_score, &normalize, &inert, &codes))
    return nullptr;
  if (codes != Py_ssize_t(INERT_CODES)) {
    PyErr_SetString(PyExc_ValueError, "wanted a byte for each code point below 65536");
    return nullptr;
  }
  auto* model = new Model;
  model->unknown_score = unknown_score;
  model->inert.assign(inert, static_cast<size_t>(codes));
  Py_INCREF(normalize);
  model->normalize = normalize;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(pieces); i++) {
    const char* piece;
    Py_ssize_t length;
    float score;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(pieces, i), "s#f", &piece, &length, &score)) {
      delete model;
      return nullptr;
    }
    model->tree.add(piece, static_cast<size_t>(length), static_cast<int32_t>(model->scores.size()));
    model->scores.push_back(score);
  }
  return PyCapsule_New(model, CAPSULE, release);
}

PyObject* encode(PyObject*, PyObject* arguments) {
  PyObject *capsule, *text;
  if (!PyArg_ParseTuple(arguments, "OU", &capsule, &text)) return nullptr;
  auto* model = static_cast<Model*>(PyCapsule_GetPointer(capsule, CAPSULE));
  Py_ssize_t length, pieces;
  const char* data = model ? PyUnicode_AsUTF8AndSize(text, &length) : nullptr;
  if (!data) return nullptr;
  std::string out;
  bool ask = false;
  if (model->encode(data, static_cast<size_t>(length), out, pieces, ask))
    return Py_BuildValue("y#n", out.data(), Py_ssize_t(out.size()), pieces);
  if (!ask) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef METHODS[] = {
    {"load", load, METH_VARARGS, "load([(piece, score)], unknown_score, normalize, inert)"},
    {"encode", encode, METH_VARARGS, "encode(model, text): (pieces parted by spaces, how many), or None: ask SentencePiece"},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_pieces", nullptr, -1, METHODS, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__pieces() { return PyModule_Create(&MODULE); }
