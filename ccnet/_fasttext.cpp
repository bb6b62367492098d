// The hidden layer of a fastText classifier for many texts at once, from the model's own tables.
// Subword hashes are rolled instead of built as strings, pruned subwords are told by one bit each, the rows of a word
// are remembered, and quantised rows come decoded: the same rows are added in the same order as in fastText, so the sums
// are the same floats.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "word_table.h"

namespace {

using ccnet::FNV_START;
using ccnet::fnv_step;

const char* const CAPSULE = "ccnet._fasttext.model";
const int LID_DIM = 16;  // of lid.176; sums of that size stay in registers

const size_t MAX_WORDS = 1u << 19;

// The rows of the words met before.
class WordRows {
 public:
  struct Span {
    size_t rows, count;
  };

  const Span* find(const char* text, size_t length, uint32_t hash) const { return words_.find(text, length, hash); }

  const int32_t* rows(const Span& span) const { return rows_.data() + span.rows; }

  void remember(const char* text, size_t length, uint32_t hash, const std::vector<int32_t>& rows) {
    if (length > ccnet::MAX_WORD_BYTES) return;
    if (words_.full()) words_.clear(), rows_.clear();
    words_.add(text, length, hash, {rows_.size(), rows.size()});
    rows_.insert(rows_.end(), rows.begin(), rows.end());
  }

 private:
  ccnet::WordTable<Span> words_{MAX_WORDS};
  std::vector<int32_t> rows_;
};

inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; }

struct Model {
  Py_buffer rows{};
  int dim = 0, min_n = 0, max_n = 0, words = 0;
  uint32_t buckets = 1;
  uint64_t inverse = 0;        // of buckets: a remainder without a division (Lemire, Kaser and Kurz, 2019)
  bool pruned = false;
  std::string blob;            // all words, one after another
  std::vector<int64_t> ends;   // where each word ends in the blob
  std::vector<int32_t> slots;  // open addressing: word + 1, 0 where free
  std::vector<uint64_t> kept;  // one bit a bucket
  std::vector<int32_t> row_of; // bucket -> row behind the words
  WordRows known;
  std::vector<int32_t> fresh;  // the rows of a word that is not known

  ~Model() {
    if (rows.obj) PyBuffer_Release(&rows);
  }

  void index() {
    size_t size = 16;
    while (size < 2 * ends.size()) size *= 2;
    slots.assign(size, 0);
    for (size_t word = 0; word < ends.size(); word++) {
      const char* text = blob.data() + (word ? ends[word - 1] : 0);
      uint32_t hash = FNV_START;
      for (const char* c = text; c < blob.data() + ends[word]; c++) hash = fnv_step(hash, *c);
      size_t slot = hash & (size - 1);
      while (slots[slot]) slot = (slot + 1) & (size - 1);
      slots[slot] = static_cast<int32_t>(word) + 1;
    }
  }

  int find(const char* text, size_t length, uint32_t hash) const {
    const size_t mask = slots.size() - 1;
    for (size_t slot = hash & mask; slots[slot]; slot = (slot + 1) & mask) {
      const int word = slots[slot] - 1;
      const int64_t begin = word ? ends[word - 1] : 0;
      if (static_cast<size_t>(ends[word] - begin) == length && !memcmp(blob.data() + begin, text, length)) return word;
    }
    return -1;
  }

  uint32_t remainder(uint32_t hash) const {
    return static_cast<uint32_t>((static_cast<unsigned __int128>(inverse * hash) * buckets) >> 64);
  }

  void add(const int32_t* ids, size_t count, float* sum) const {
    if (dim == LID_DIM)
      add_in_registers<LID_DIM>(ids, count, sum);
    else
      for (size_t row = 0; row < count; row++) {
        const float* values = static_cast<const float*>(rows.buf) + static_cast<int64_t>(ids[row]) * dim;
        for (int i = 0; i < dim; i++) sum[i] += values[i];
      }
  }

  template <int D>
  void add_in_registers(const int32_t* ids, size_t count, float* sum) const {
    float sums[D];
    for (int i = 0; i < D; i++) sums[i] = sum[i];
    for (size_t row = 0; row < count; row++) {
      const float* values = static_cast<const float*>(rows.buf) + static_cast<int64_t>(ids[row]) * D;
      for (int i = 0; i < D; i++) sums[i] += values[i];
    }
    for (int i = 0; i < D; i++) sum[i] = sums[i];
  }

  // Appends the rows of a word's subwords; the word stands between < and >.
  void subwords(const std::string& word, std::vector<int32_t>& out) const {
    const size_t size = word.size();
    for (size_t i = 0; i < size; i++) {
      if ((word[i] & 0xC0) == 0x80) continue;
      uint32_t hash = FNV_START;
      size_t j = i;
      for (int n = 1; j < size && n <= max_n; n++) {
        hash = fnv_step(hash, word[j++]);
        while (j < size && (word[j] & 0xC0) == 0x80) hash = fnv_step(hash, word[j++]);
        if (n < min_n || (n == 1 && (i == 0 || j == size))) continue;
        const uint32_t bucket = remainder(hash);
        if (pruned) {
          if (!(kept[bucket >> 6] >> (bucket & 63) & 1)) continue;
          out.push_back(words + row_of[bucket]);
        } else {
          out.push_back(words + static_cast<int32_t>(bucket));
        }
      }
    }
  }

  // False where a token is the end-of-line mark or a label: fastText treats those in ways of its own.
  bool hidden(const char* text, const char* end, float* out) {
    for (int i = 0; i < dim; i++) out[i] = 0;
    int64_t added = 0;
    std::string word;
    while (text < end) {
      while (text < end && is_space(*text)) text++;
      const char* begin = text;
      uint32_t hash = FNV_START;
      while (text < end && !is_space(*text)) hash = fnv_step(hash, *text++);
      const size_t length = static_cast<size_t>(text - begin);
      if (!length) break;
      if (const WordRows::Span* span = known.find(begin, length, hash)) {
        add(known.rows(*span), span->count, out);
        added += span->count;
        continue;
      }
      if (*begin == '_' && length >= 9 && !memcmp(begin, "__label__", 9)) return false;
      if (length == 4 && !memcmp(begin, "</s>", 4)) return false;
      const int id = find(begin, length, hash);
      if (id >= words) return false;
      fresh.clear();
      if (id >= 0) fresh.push_back(id);
      if (id < 0 || max_n > 0) {
        word.assign(1, '<').append(begin, length).push_back('>');
        subwords(word, fresh);
      }
      add(fresh.data(), fresh.size(), out);
      added += static_cast<int64_t>(fresh.size());
      known.remember(begin, length, hash, fresh);
    }
    uint32_t hash = FNV_START;
    for (const char* c = "</s>"; *c; c++) hash = fnv_step(hash, *c);
    const int mark = find("</s>", 4, hash);
    if (mark >= 0) {
      add(&mark, 1, out);
      added++;
    }
    if (!added) return false;
    const float share = static_cast<float>(1.0 / static_cast<double>(added));
    for (int i = 0; i < dim; i++) out[i] *= share;
    return true;
  }
};

void release(PyObject* capsule) { delete static_cast<Model*>(PyCapsule_GetPointer(capsule, CAPSULE)); }

PyObject* load(PyObject*, PyObject* arguments) {
  Py_buffer blob, ends, prune;
  PyObject* rows;
  int dim, min_n, max_n, words, buckets, pruned;
  if (!PyArg_ParseTuple(arguments, "y*y*Oiiiiipy*", &blob, &ends, &rows, &dim, &min_n, &max_n, &words, &buckets, &pruned,
                        &prune))
    return nullptr;
  auto* model = new Model;
  model->blob.assign(static_cast<const char*>(blob.buf), static_cast<size_t>(blob.len));
  model->ends.resize(static_cast<size_t>(ends.len) / sizeof(int64_t));
  memcpy(model->ends.data(), ends.buf, static_cast<size_t>(ends.len));
  model->dim = dim, model->min_n = min_n, model->max_n = max_n, model->words = words;
  model->buckets = static_cast<uint32_t>(buckets > 0 ? buckets : 1);
  model->inverse = ~uint64_t{0} / model->buckets + 1;
  model->pruned = pruned;
  if (pruned) {
    model->kept.assign((model->buckets + 63) / 64, 0);
    model->row_of.assign(model->buckets, 0);
    const auto* pairs = static_cast<const int32_t*>(prune.buf);
    for (Py_ssize_t i = 0; i + 1 < prune.len / static_cast<Py_ssize_t>(sizeof(int32_t)); i += 2) {
      const auto bucket = static_cast<uint32_t>(pairs[i]);
      if (bucket >= model->buckets) continue;
      model->kept[bucket >> 6] |= uint64_t{1} << (bucket & 63);
      model->row_of[bucket] = pairs[i + 1];
    }
  }
  model->index();
  PyBuffer_Release(&blob);
  PyBuffer_Release(&ends);
  PyBuffer_Release(&prune);
  if (PyObject_GetBuffer(rows, &model->rows, PyBUF_C_CONTIGUOUS) < 0) {
    delete model;
    return nullptr;
  }
  return PyCapsule_New(model, CAPSULE, release);
}

PyObject* hidden(PyObject*, PyObject* arguments) {
  PyObject *capsule, *texts;
  Py_buffer out;
  if (!PyArg_ParseTuple(arguments, "OO!w*", &capsule, &PyList_Type, &texts, &out)) return nullptr;
  auto* model = static_cast<Model*>(PyCapsule_GetPointer(capsule, CAPSULE));
  PyObject* result = nullptr;
  if (model) {
    auto* row = static_cast<float*>(out.buf);
    const Py_ssize_t count = PyList_GET_SIZE(texts);
    if (out.len < count * model->dim * static_cast<Py_ssize_t>(sizeof(float))) {
      PyErr_SetString(PyExc_ValueError, "the output holds fewer rows than there are texts");
    } else {
      result = Py_None;
      for (Py_ssize_t i = 0; i < count; i++, row += model->dim) {
        char* text;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(PyList_GET_ITEM(texts, i), &text, &length) < 0) {
          result = nullptr;
          break;
        }
        if (!model->hidden(text, text + length, row)) row[0] = std::numeric_limits<float>::quiet_NaN();
      }
    }
  }
  PyBuffer_Release(&out);
  Py_XINCREF(result);
  return result;
}

PyMethodDef METHODS[] = {
    {"load", load, METH_VARARGS, "load(words, ends, rows, dim, min_n, max_n, word_count, buckets, pruned, pairs)"},
    {"hidden", hidden, METH_VARARGS, "hidden(model, texts, out): float32 [texts, dim]; NaN where fastText must be asked"},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_fasttext", nullptr, -1, METHODS, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__fasttext() { return PyModule_Create(&MODULE); }
