// Words met before and what was found out about them: text is Zipfian, so most words are known.  A table that is full
// begins anew, so its size is bounded.

#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace ccnet {

const size_t MAX_WORD_BYTES = 64;  // longer words, such as lines without a space, seldom come again
const uint32_t FNV_START = 2166136261u, FNV_PRIME = 16777619u;

inline uint32_t fnv_step(uint32_t hash, char byte) {  // of signed characters, as fastText has it
  return (hash ^ static_cast<uint32_t>(static_cast<int8_t>(byte))) * FNV_PRIME;
}

template <typename Found>
class WordTable {
 public:
  explicit WordTable(size_t max_words) : max_words_(max_words) { clear(); }

  const Found* find(const char* text, size_t length, uint32_t hash) const {
    const size_t mask = slots_.size() - 1;
    for (size_t slot = hash & mask; slots_[slot]; slot = (slot + 1) & mask) {
      const Word& word = words_[slots_[slot] - 1];
      if (word.hash == hash && word.length == length && !memcmp(texts_.data() + word.text, text, length))
        return &word.found;
    }
    return nullptr;
  }

  bool full() const { return words_.size() == max_words_; }

  void clear() {
    slots_.assign(16, 0);
    words_.clear();
    texts_.clear();
  }

  // A word that is not there yet; the table is not full.
  void add(const char* text, size_t length, uint32_t hash, const Found& found) {
    if (2 * words_.size() >= slots_.size()) grow();
    words_.push_back({found, texts_.size(), static_cast<uint32_t>(length), hash});
    texts_.append(text, length);
    place(static_cast<uint32_t>(words_.size()));
  }

 private:
  struct Word {
    Found found;
    size_t text;
    uint32_t length, hash;
  };

  void place(uint32_t number) {
    size_t slot = words_[number - 1].hash & (slots_.size() - 1);
    while (slots_[slot]) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = number;
  }

  void grow() {
    slots_.assign(2 * slots_.size(), 0);
    for (uint32_t number = 1; number <= words_.size(); number++) place(number);
  }

  size_t max_words_;
  std::vector<uint32_t> slots_;  // open addressing: word + 1, 0 where free
  std::vector<Word> words_;
  std::string texts_;
};

}  // namespace ccnet
