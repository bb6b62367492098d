// CCNet's hash of every line of many documents in one pass: a code point is looked up in the table of the normalisation,
// the line's UTF-8 goes straight into SHA-1, and the first eight bytes of that are kept.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>
#include <vector>

namespace {

const uint32_t DELETED = 0xFFFFFFFFu;

inline uint32_t rotate(uint32_t value, int bits) { return (value << bits) | (value >> (32 - bits)); }

// SHA-1 (FIPS 180-4) of one block, as plain code and, where the processor has them, by its instructions for it.
void hash_block_plainly(uint32_t state[5], const unsigned char* block) {
  uint32_t w[80];
  for (int i = 0; i < 16; i++)
    w[i] = uint32_t(block[4 * i]) << 24 | uint32_t(block[4 * i + 1]) << 16 | uint32_t(block[4 * i + 2]) << 8 | block[4 * i + 3];
  for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  auto round = [&](uint32_t mixed, uint32_t constant, uint32_t word) {
    const uint32_t next = rotate(a, 5) + mixed + e + constant + word;
    e = d, d = c, c = rotate(b, 30), b = a, a = next;
  };
  for (int i = 0; i < 20; i++) round((b & c) | (~b & d), 0x5A827999u, w[i]);
  for (int i = 20; i < 40; i++) round(b ^ c ^ d, 0x6ED9EBA1u, w[i]);
  for (int i = 40; i < 60; i++) round((b & c) | (b & d) | (c & d), 0x8F1BBCDCu, w[i]);
  for (int i = 60; i < 80; i++) round(b ^ c ^ d, 0xCA62C1D6u, w[i]);
  state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

#if defined(__x86_64__)
#define WITH_SHA __attribute__((target("sha,sse4.1")))

struct Rounds {
  __m128i abcd, before, e, message[4];  // before: abcd four rounds ago
};

// Rounds 20 * F to 20 * F + 19, four at a time.
template <int F>
WITH_SHA inline void twenty_rounds(Rounds& r) {
  for (int group = 5 * F; group < 5 * F + 5; group++) {
    __m128i& now = r.message[group & 3];
    if (group > 3) {
      const __m128i mixed = _mm_xor_si128(_mm_sha1msg1_epu32(now, r.message[(group + 1) & 3]), r.message[(group + 2) & 3]);
      now = _mm_sha1msg2_epu32(mixed, r.message[(group + 3) & 3]);
    }
    const __m128i e = group ? _mm_sha1nexte_epu32(r.before, now) : _mm_add_epi32(r.e, now);
    r.before = r.abcd;
    r.abcd = _mm_sha1rnds4_epu32(r.abcd, e, F);
  }
}

WITH_SHA void hash_block_by_instruction(uint32_t state[5], const unsigned char* block) {
  const __m128i bytes_turned = _mm_set_epi64x(0x0001020304050607LL, 0x08090A0B0C0D0E0FLL);
  const int words_turned = 0x1B;
  Rounds r;
  const __m128i start = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state)), words_turned);
  r.abcd = r.before = start;
  r.e = _mm_set_epi32(static_cast<int>(state[4]), 0, 0, 0);
  for (int i = 0; i < 4; i++)
    r.message[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block) + i), bytes_turned);
  twenty_rounds<0>(r);
  twenty_rounds<1>(r);
  twenty_rounds<2>(r);
  twenty_rounds<3>(r);
  state[4] = static_cast<uint32_t>(_mm_extract_epi32(_mm_sha1nexte_epu32(r.before, r.e), 3));
  const __m128i sum = _mm_shuffle_epi32(_mm_add_epi32(r.abcd, start), words_turned);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state), sum);
}

bool has_instructions() {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b >> 29 & 1)) return false;
  return __get_cpuid(1, &a, &b, &c, &d) && (c >> 19 & 1) && (c >> 9 & 1);
}
#else
bool has_instructions() { return false; }
const auto hash_block_by_instruction = hash_block_plainly;
#endif

using HashBlock = void (*)(uint32_t[5], const unsigned char*);

// The UTF-8 of one line, with room for SHA-1's padding.
class Line {
 public:
  explicit Line(HashBlock hash_block) : hash_block_(hash_block) {}

  void clear() { size_ = 0; }

  void reserve(size_t more) {
    if (bytes_.size() < size_ + more + PADDING) bytes_.resize(2 * (size_ + more + PADDING));
  }

  // The caller has reserved four bytes.
  void add(uint32_t code) {
    unsigned char* out = bytes_.data() + size_;
    if (code < 0x80) {
      out[0] = static_cast<unsigned char>(code);
      size_ += 1;
    } else if (code < 0x800) {
      out[0] = static_cast<unsigned char>(0xC0 | code >> 6);
      out[1] = continuation(code);
      size_ += 2;
    } else if (code < 0x10000) {
      out[0] = static_cast<unsigned char>(0xE0 | code >> 12);
      out[1] = continuation(code >> 6);
      out[2] = continuation(code);
      size_ += 3;
    } else {
      out[0] = static_cast<unsigned char>(0xF0 | code >> 18);
      out[1] = continuation(code >> 12);
      out[2] = continuation(code >> 6);
      out[3] = continuation(code);
      size_ += 4;
    }
  }

  // The first eight bytes of its SHA-1, read as a little-endian number.
  uint64_t hash() {
    const uint64_t bits = uint64_t(size_) * 8;
    const size_t zeros = (119 - size_ % 64) % 64, whole = size_ + 1 + zeros + 8;
    unsigned char* end = bytes_.data() + size_;
    *end++ = 0x80;
    memset(end, 0, zeros);
    for (int i = 0; i < 8; i++) end[zeros + i] = static_cast<unsigned char>(bits >> (56 - 8 * i));
    uint32_t state[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};
    for (size_t at = 0; at < whole; at += 64) hash_block_(state, bytes_.data() + at);
    uint64_t found = 0;
    for (int i = 0; i < 8; i++) found |= uint64_t(state[i / 4] >> (24 - 8 * (i % 4)) & 0xFF) << (8 * i);
    return found;
  }

 private:
  static const size_t PADDING = 128;
  static unsigned char continuation(uint32_t code) { return static_cast<unsigned char>(0x80 | (code & 0x3F)); }

  std::vector<unsigned char> bytes_ = std::vector<unsigned char>(4096);
  size_t size_ = 0;
  HashBlock hash_block_;
};

template <typename Character>
void hash_text(const Character* text, Py_ssize_t length, const uint32_t* table, Line& line, std::vector<uint64_t>& out) {
  line.clear();
  line.reserve(4 * static_cast<size_t>(length));
  for (Py_ssize_t at = 0; at < length; at++) {
    const uint32_t code = table[text[at]];
    if (code == '\n') {
      out.push_back(line.hash());
      line.clear();
    } else if (code != DELETED) {
      line.add(code);
    }
  }
  out.push_back(line.hash());
}

PyObject* hash_lines(PyObject*, PyObject* arguments) {
  PyObject* texts;
  Py_buffer table;
  int plainly = 0;
  if (!PyArg_ParseTuple(arguments, "O!y*|p", &PyList_Type, &texts, &table, &plainly)) return nullptr;
  std::vector<uint64_t> out;
  Line line(has_instructions() && !plainly ? hash_block_by_instruction : hash_block_plainly);
  bool good = table.len == Py_ssize_t(sizeof(uint32_t)) * 0x110000;
  if (!good) PyErr_SetString(PyExc_ValueError, "the table has to hold every code point");
  const auto* codes = static_cast<const uint32_t*>(table.buf);
  for (Py_ssize_t i = 0; good && i < PyList_GET_SIZE(texts); i++) {
    PyObject* lowered = PyObject_CallMethod(PyList_GET_ITEM(texts, i), "lower", nullptr);
    good = lowered && PyUnicode_Check(lowered);
    if (!good) {
      if (lowered) PyErr_SetString(PyExc_TypeError, "wanted texts");
      Py_XDECREF(lowered);
      break;
    }
    const Py_ssize_t length = PyUnicode_GET_LENGTH(lowered);
    switch (PyUnicode_KIND(lowered)) {
      case PyUnicode_1BYTE_KIND: hash_text(PyUnicode_1BYTE_DATA(lowered), length, codes, line, out); break;
      case PyUnicode_2BYTE_KIND: hash_text(PyUnicode_2BYTE_DATA(lowered), length, codes, line, out); break;
      default: hash_text(PyUnicode_4BYTE_DATA(lowered), length, codes, line, out);
    }
    Py_DECREF(lowered);
  }
  PyBuffer_Release(&table);
  if (!good) return nullptr;
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(out.data()), Py_ssize_t(out.size() * sizeof(uint64_t)));
}

PyMethodDef METHODS[] = {
    {"hash_lines", hash_lines, METH_VARARGS, "hash_lines(texts, table, plainly=False): uint64 of every line of all texts, as bytes"},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_hashing", nullptr, -1, METHODS, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__hashing() { return PyModule_Create(&MODULE); }
