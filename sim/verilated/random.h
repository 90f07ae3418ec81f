// Seeded random decisions of the memory model: the same on every platform, and free where nothing is to stall.
#pragma once

#include <cstdint>

class Random {
  public:
    explicit Random(uint64_t seed = 1) : m_state(seed * 0x9E3779B97F4A7C15ull | 1) {}

    // True with the probability threshold / 2^32.
    bool chance(uint64_t threshold) { return threshold && next() < threshold; }
    uint32_t below(uint32_t limit) { return static_cast<uint32_t>((uint64_t{next()} * limit) >> 32); }

  private:
    // xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
    uint32_t next() {
        m_state ^= m_state >> 12;
        m_state ^= m_state << 25;
        m_state ^= m_state >> 27;
        return static_cast<uint32_t>((m_state * 0x2545F4914F6CDD1Dull) >> 32);
    }

    uint64_t m_state;
};
