#include "ke/export_calls.hpp"

#ifdef DIRQL_COUNT_EXPORTS

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

namespace dirql::ke {
namespace {

std::atomic<ExportCalls*> called;

// Made at the end of each process that has the library, written where the environment asks for it.
struct WriteDown {
    ~WriteDown() {
        const char* directory = std::getenv("DIRQL_EXPORT_CALLS");
        if (directory == nullptr || called.load() == nullptr) return;
        char name[4096];
        std::snprintf(name, sizeof name, "%s/%s.%d", directory, program_invocation_short_name,
                      static_cast<int>(getpid()));
        std::FILE* file = std::fopen(name, "w");
        if (file == nullptr) return;
        for (const ExportCalls* each = called; each != nullptr; each = each->next)
            std::fprintf(file, "%s %llu\n", each->name, static_cast<unsigned long long>(each->count.load()));
        std::fclose(file);
    }
} write_down;

} // namespace

void remember_calls(ExportCalls& calls) noexcept {
    calls.next = called.load(std::memory_order_relaxed);
    while (!called.compare_exchange_weak(calls.next, &calls)) {
    }
}

} // namespace dirql::ke

#endif
