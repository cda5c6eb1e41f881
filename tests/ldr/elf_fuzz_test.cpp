// Hostile files: seeded mutations of good ones. The sanitizers watch; what still parses must also load.
#include "catch.hpp"
#include "plugin_files.hpp"

#include <cstring>
#include <random>

using namespace ldr_test;
using namespace dirql::ldr;

namespace {

// Every name exists, so that mutations reach the loader's later stages.
class EveryName final : public SymbolResolver {
public:
    void* resolve(std::string_view) const override { return const_cast<int*>(&target_); }

private:
    int target_ = 0;
};

class Mutator {
public:
    Mutator(const Bytes& original, std::uint64_t seed) : original_(original), random_(seed) {}

    // The header pages and the tables hold all structure, so most mutations go there.
    Bytes next() {
        auto bytes = original_;
        const auto changes = 1 + random_() % 4;
        for (std::uint64_t i = 0; i < changes; ++i) mutate(bytes);
        if (random_() % 16 == 0) bytes.resize(random_() % (bytes.size() + 1));
        return bytes;
    }

private:
    void mutate(Bytes& bytes) {
        const auto size = std::size_t{1} << random_() % 4;
        const auto at = place(bytes.size() - size);
        const auto value = interesting();
        std::memcpy(bytes.data() + at, &value, size);
    }

    std::size_t place(std::size_t limit) {
        const auto section_headers = reinterpret_cast<const std::uint64_t*>(original_.data())[5];
        switch (random_() % 4) {
        case 0: return random_() % 64;
        case 1: return random_() % 0x800;
        case 2: return std::min<std::size_t>(limit, section_headers + random_() % 0x800);
        default: return random_() % limit;
        }
    }

    std::uint64_t interesting() {
        switch (random_() % 8) {
        case 0: return 0;
        case 1: return ~std::uint64_t{0};
        case 2: return std::uint64_t{1} << random_() % 64;
        case 3: return ~std::uint64_t{0} << random_() % 64;
        case 4: return random_() % original_.size();
        case 5: return random_() % 64;
        default: return random_();
        }
    }

    const Bytes& original_;
    std::mt19937_64 random_;
};

struct Tally {
    int refused = 0;
    int loaded = 0;
};

void try_to_load(const Bytes& bytes, Tally& tally) {
    const Bytes exact(bytes.begin(), bytes.end()); // no spare capacity behind the last byte
    const auto image = ImageTemplate::create("mutant.so", exact, EveryName{});
    if (!image) {
        const auto& text = image.error().text;
        if (text.empty() || text.size() > 1000 || text.find('\n') != std::string::npos) FAIL("bad message: " << text);
        ++tally.refused;
        return;
    }
    const auto& source = *image.value();
    if (source.image_size() > (16u << 20) || source.alignment() > page_size) return;
    const Memory memory(source);
    const auto loaded = source.instantiate(memory.pages());
    if (!loaded.contains(loaded.entry) || !loaded.text.contains(loaded.entry)) FAIL("entry outside the image");
    memory.protect(source);
    source.restore_data(loaded);
    ++tally.loaded;
}

} // namespace

TEST_CASE("mutated plug-ins are refused or load, and never harm") {
    const auto rounds = 6000;
    for (const auto& compiler : compilers()) {
        for (const auto* plugin : {"counter_", "lines_", "stripped_"}) {
            const auto original = read_plugin(plugin + compiler);
            REQUIRE(original.size() > 0x1000);
            Mutator mutator(original, 2024);
            Tally tally;
            for (int round = 0; round < rounds; ++round) try_to_load(mutator.next(), tally);
            CAPTURE(plugin, compiler, tally.refused, tally.loaded);
            CHECK(tally.refused > rounds / 10); // the mutations bite
            CHECK(tally.loaded > rounds / 10);  // and leave something to load
        }
    }
}
