// A seeded generator for property tests: the same steps on every host.
#pragma once

#include <cstdint>
#include <string>

namespace dirql::test {

inline constexpr int property_steps = 10'000;

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    // splitmix64
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }

    // 0 to limit - 1
    std::size_t below(std::size_t limit) { return next() % limit; }
    bool chance(unsigned one_in) { return below(one_in) == 0; }

    // Up to `longest` units out of a small alphabet, so that coincidences are common.
    template <class Char> std::basic_string<Char> text(std::size_t longest, std::basic_string<Char> alphabet) {
        std::basic_string<Char> result(below(longest + 1), Char());
        for (Char& c : result) c = alphabet[below(alphabet.size())];
        return result;
    }

private:
    std::uint64_t state_;
};

} // namespace dirql::test
