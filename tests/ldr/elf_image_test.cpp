// Plug-ins in memory: bound, placed, protected, restored.
#include "catch.hpp"
#include "plugin_files.hpp"

extern "C" {
#include "plugins/view.h"
}

#include <dlfcn.h>

#include <cstdarg>
#include <cstdio>
#include <thread>

using namespace ldr_test;
using namespace dirql;
using namespace dirql::ldr;

namespace {

thread_local std::string printed;
int feature_bits_value = 77;
int* feature_bits = &feature_bits_value;

int debug_print(const char* format, ...) {
    char line[100];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    printed = line;
    return length;
}

const Names kernel({
    {"DbgPrint", reinterpret_cast<void*>(&debug_print)},
    {"KeFeatureBits", &feature_bits},
});

std::shared_ptr<const ImageTemplate> load(const std::string& name) {
    auto image = ImageTemplate::load(plugin_path(name), kernel);
    INFO((image ? "" : image.error().text));
    REQUIRE(image);
    return image.value();
}

using Entry = int(void*, void*);

view enter(const LoadedImage& image) {
    view seen{};
    image.entry_as<Entry>()(&seen, nullptr);
    return seen;
}

} // namespace

TEST_CASE("a placed plug-in runs with its relocations and imports") {
    for (const auto& compiler : compilers()) {
        CAPTURE(compiler);
        const auto source = load("counter_" + compiler);
        const Memory memory(*source);
        const auto image = source->instantiate(memory.pages());
        memory.protect(*source);
        const auto seen = enter(image);
        CHECK(printed == "hello (nil)");
        CHECK(seen.third_prime == 5);
        CHECK(seen.feature_bits == 77);
        CHECK(seen.weak_is_null == 1);
        CHECK(*seen.calls == 5);
        CHECK(*seen.last_zeroed == 0);
        CHECK(seen.bump() == 6);
        CHECK(*seen.calls == 6);
        CHECK(*seen.last_zeroed == 1);
    }
}

TEST_CASE("a placed plug-in knows its code from its data") {
    for (const auto& compiler : compilers()) {
        const auto source = load("counter_" + compiler);
        const Memory memory(*source);
        const auto image = source->instantiate(memory.pages());
        memory.protect(*source);
        const auto seen = enter(image);
        CHECK(image.text.contains(reinterpret_cast<const void*>(seen.bump)));
        CHECK(image.text.contains(image.entry));
        CHECK_FALSE(image.text.contains(seen.calls));
        CHECK(image.data.contains(seen.calls));
        CHECK(image.data.contains(seen.last_zeroed));
        CHECK_FALSE(image.data.contains(seen.constant));
        CHECK(image.contains(seen.constant));
        CHECK_FALSE(image.contains(image.base + image.size));
        CHECK_FALSE(image.contains(&feature_bits));
    }
}

TEST_CASE("regions cover the image once, code never writable") {
    for (const auto& compiler : compilers()) {
        const auto source = load("counter_" + compiler);
        std::size_t end = 0;
        std::set<Access> met;
        for (const auto& region : source->regions()) {
            CHECK(region.offset == end);
            CHECK(region.size % page_size == 0);
            end += region.size;
            met.insert(region.access);
        }
        CHECK(end == source->image_size());
        CHECK(met == std::set<Access>{Access::read, Access::read_write, Access::read_execute});
        for (const auto access : met)
            CHECK((protection_flags(access) & (PROT_WRITE | PROT_EXEC)) != (PROT_WRITE | PROT_EXEC));
    }
}

TEST_CASE("each instance has globals of its own, fresh ones") {
    const auto source = load("counter_gcc");
    const Memory first_memory(*source), second_memory(*source);
    const auto first = source->instantiate(first_memory.pages());
    const auto second = source->instantiate(second_memory.pages());
    first_memory.protect(*source);
    second_memory.protect(*source);
    const auto in_first = enter(first), in_second = enter(second);
    REQUIRE(in_first.calls != in_second.calls);
    for (int i = 0; i < 10; ++i) in_first.bump();
    CHECK(*in_first.calls == 15);
    CHECK(*in_second.calls == 5);
    CHECK(in_second.bump() == 6);

    const Memory third_memory(*source);
    const auto third = source->instantiate(third_memory.pages());
    third_memory.protect(*source);
    CHECK(*enter(third).calls == 5);
}

TEST_CASE("data returns to its first state without touching protections") {
    for (const auto& compiler : compilers()) {
        const auto source = load("counter_" + compiler);
        const Memory memory(*source);
        const auto image = source->instantiate(memory.pages());
        const Bytes fresh(memory.pages().begin(), memory.pages().end());
        memory.protect(*source);
        const auto seen = enter(image);
        seen.bump();
        CHECK_FALSE(std::equal(fresh.begin(), fresh.end(), memory.pages().begin()));
        source->restore_data(image);
        CHECK(std::equal(fresh.begin(), fresh.end(), memory.pages().begin()));
        CHECK(*enter(image).calls == 5);
    }
}

TEST_CASE("what the memory held before does not show") {
    const auto source = load("counter_gcc");
    const Memory dirty(*source);
    const auto first = source->instantiate(dirty.pages());
    const Bytes once(dirty.pages().begin(), dirty.pages().end());
    std::fill(dirty.pages().begin(), dirty.pages().end(), std::byte{0x5a});
    const auto second = source->instantiate(dirty.pages());
    CHECK(first.entry == second.entry);
    CHECK(std::equal(once.begin(), once.end(), dirty.pages().begin()));
}

TEST_CASE("one template serves several host threads") {
    const auto source = load("counter_gcc");
    std::vector<std::thread> threads;
    std::array<int, 4> results{};
    for (std::size_t i = 0; i < results.size(); ++i)
        threads.emplace_back([&, i] {
            for (int round = 0; round < 50; ++round) {
                const Memory memory(*source);
                const auto image = source->instantiate(memory.pages());
                memory.protect(*source);
                const auto seen = enter(image);
                for (std::size_t n = 0; n < i; ++n) seen.bump();
                results[i] = *seen.calls;
            }
        });
    for (auto& thread : threads) thread.join();
    CHECK(results == std::array{5, 6, 7, 8});
}

TEST_CASE("every missing import is named at once") {
    for (const auto& compiler : compilers()) {
        const auto image = ImageTemplate::load(plugin_path("undefined_" + compiler), kernel);
        REQUIRE_FALSE(image);
        CHECK(image.error().code == ErrorCode::unresolved_import);
        CHECK(image.error().text ==
              "undefined_" + compiler +
                  ".so: undefined in the kernel: ExMissing, IoNoSuchRoutine, KeAbsentVariable, printf");
    }
}

TEST_CASE("errors begin with the file's name") {
    const auto absent = ImageTemplate::load("/nowhere/absent.so", kernel);
    REQUIRE_FALSE(absent);
    CHECK(absent.error().text == "/nowhere/absent.so: cannot be read: No such file or directory");
    const auto directory = ImageTemplate::load(LDR_PLUGIN_DIR, kernel);
    REQUIRE_FALSE(directory);
    CHECK(directory.error().text == LDR_PLUGIN_DIR ": cannot be read: Is a directory");
    const auto device = ImageTemplate::load("/dev/zero", kernel);
    REQUIRE_FALSE(device);
    CHECK_THAT(device.error().text, Catch::Matchers::StartsWith("/dev/zero: cannot be read: "));
    const auto wrong = ImageTemplate::load(plugin_path("no_entry_gcc"), kernel);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().text == "no_entry_gcc.so: no DriverEntry function");
    CHECK(wrong.error().code == ErrorCode::bad_image);
}

namespace {

// What kernel_exports() does for the sanitizer's names, in a host that has its run-time.
class SanitizerNames final : public SymbolResolver {
public:
    void* resolve(std::string_view name) const override { return dlsym(RTLD_DEFAULT, std::string(name).c_str()); }
};

using IsPoisoned = int(const void*);

} // namespace

TEST_CASE("a sanitized plug-in registers with the host's sanitizer, or is refused") {
    auto* is_poisoned = reinterpret_cast<IsPoisoned*>(dlsym(RTLD_DEFAULT, "__asan_address_is_poisoned"));
    const auto loaded = ImageTemplate::load(plugin_path("guarded"), SanitizerNames{});
    if (is_poisoned == nullptr) {
        REQUIRE_FALSE(loaded);
        CHECK_THAT(loaded.error().text,
                   Catch::Matchers::Contains("__asan_init") &&
                       Catch::Matchers::EndsWith("a sanitizer that this process is not built with)"));
        return;
    }
    REQUIRE(loaded);
    const auto& source = *loaded.value();
    const Memory memory(source);
    const auto image = source.instantiate(memory.pages());
    memory.protect(source);
    struct {
        char *begin, *end;
    } guarded{};
    image.run_constructors();
    CHECK(image.entry_as<Entry>()(&guarded, nullptr) == 'g');
    CHECK_FALSE(is_poisoned(guarded.begin));
    CHECK(is_poisoned(guarded.end));
    source.restore_data(image); // writes over the guards, so it has to lift and set them
    CHECK(is_poisoned(guarded.end));
    image.run_destructors();
    CHECK_FALSE(is_poisoned(guarded.end));
}

TEST_CASE("a plug-in has the integrity flag when its linker gave it the symbol, stripped or not") {
    for (const auto& compiler : compilers()) {
        CAPTURE(compiler);
        CHECK(load("integrity_" + compiler)->integrity());
        CHECK_FALSE(load("counter_" + compiler)->integrity());
    }
}
