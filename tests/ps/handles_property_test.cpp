// Handles of two processes and of their children against a model: made, duplicated, closed, protected, inherited.
#include "catch.hpp"
#include "process_fixture.hpp"

#include "ob/handle_table.hpp"
#include "ob/services.hpp"
#include "ps/services.hpp"

#include <map>
#include <random>
#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr int steps = 10'000;

struct Entry {
    void* object;
    ACCESS_MASK access;
    bool inherit, protect;
};

// One process, the handles that it should have, and which value should come next: the one freed last, else the lowest never used.
struct Model {
    ke::Process* process = nullptr;
    std::map<std::uint64_t, Entry> handles;
    std::vector<std::uint64_t> freed;
    std::uint64_t fresh = 0;

    std::uint64_t take() {
        if (!freed.empty()) {
            const std::uint64_t value = freed.back();
            freed.pop_back();
            return value;
        }
        fresh += 4;
        if (fresh % 0x400 == 0) fresh += 4;
        return fresh;
    }
    void drop(std::map<std::uint64_t, Entry>::iterator at) {
        freed.push_back(at->first);
        handles.erase(at);
    }
};

HANDLE as_handle(std::uint64_t value) { return reinterpret_cast<HANDLE>(value); }
std::uint64_t as_value(HANDLE handle) { return reinterpret_cast<std::uint64_t>(handle); }

struct HandlesFixture : ProcessFixture {
    // In this process's place.
    template <class Body> auto in(const Model& model, Body body) {
        KAPC_STATE state{};
        KeStackAttachProcess(reinterpret_cast<PKPROCESS>(model.process), &state);
        const auto result = body();
        KeUnstackDetachProcess(&state);
        return result;
    }

    void create(Model& model, std::mt19937& random) {
        const bool inherit = random() % 2 == 0;
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, nullptr, inherit ? OBJ_INHERIT : 0, nullptr, nullptr);
        const ACCESS_MASK access = 1 + random() % 3;
        HANDLE handle = nullptr;
        void* object = nullptr;
        REQUIRE(in(model, [&] {
                    const NTSTATUS status = ZwCreateEvent(&handle, access, &attributes, NotificationEvent, FALSE);
                    return NT_SUCCESS(status) ? ob::reference_by_handle(handle, 0, nullptr, KernelMode, &object)
                                              : status;
                }) == STATUS_SUCCESS);
        ob::dereference(object);
        REQUIRE(as_value(handle) == model.take());
        model.handles[as_value(handle)] = {object, access, inherit, false};
    }

    void close(Model& model, std::map<std::uint64_t, Entry>::iterator at) {
        const NTSTATUS status = ob::close_in_process(*model.process, as_handle(at->first), UserMode);
        REQUIRE(status == (at->second.protect ? STATUS_HANDLE_NOT_CLOSABLE : STATUS_SUCCESS));
        if (NT_SUCCESS(status)) model.drop(at);
    }

    void set_flags(Model& model, std::map<std::uint64_t, Entry>::iterator at, std::mt19937& random) {
        BOOLEAN flags[2] = {random() % 2 == 0, random() % 4 == 0};
        REQUIRE(in(model, [&] {
                    return ZwSetInformationObject(as_handle(at->first), static_cast<OBJECT_INFORMATION_CLASS>(4), flags,
                                                  2);
                }) == STATUS_SUCCESS);
        at->second.inherit = flags[0] != FALSE;
        at->second.protect = flags[1] != FALSE;
    }

    void duplicate(Model& from, std::map<std::uint64_t, Entry>::iterator at, Model& to, HANDLE from_process,
                   HANDLE to_process, std::mt19937& random) {
        const Entry source = at->second;
        ULONG options = random() % 8;
        if (source.protect) options &= ~ULONG{DUPLICATE_CLOSE_SOURCE};
        HANDLE made = nullptr;
        REQUIRE(ZwDuplicateObject(from_process, as_handle(at->first), to_process, &made, 2, OBJ_INHERIT, options) ==
                STATUS_SUCCESS);
        REQUIRE(as_value(made) == to.take());
        const ACCESS_MASK access = (options & DUPLICATE_SAME_ACCESS) != 0 ? source.access : 2;
        const bool inherit = (options & DUPLICATE_SAME_ATTRIBUTES) != 0 ? source.inherit : true;
        if ((options & DUPLICATE_CLOSE_SOURCE) != 0) from.drop(at);
        to.handles[as_value(made)] = {source.object, access, inherit, false};
    }

    void check_child(const Model& parent) {
        ke::Process* child = nullptr;
        REQUIRE(ps::create_process(machine(), {.name = "Child", .parent = parent.process, .inherit_handles = true},
                                   child) == STATUS_SUCCESS);
        std::size_t expected = 0;
        for (const auto& [value, entry] : parent.handles) {
            void* object = nullptr;
            OBJECT_HANDLE_INFORMATION information{};
            const NTSTATUS status =
                ob::reference_in_process(*child, as_handle(value), KernelMode, &object, information);
            REQUIRE(status == (entry.inherit ? STATUS_SUCCESS : STATUS_INVALID_HANDLE));
            if (!entry.inherit) continue;
            ++expected;
            REQUIRE(object == entry.object);
            REQUIRE(information.GrantedAccess == entry.access);
            ob::dereference(object);
        }
        REQUIRE(ob::table_of(*child)->count == expected);
        ob::close_all_handles(*child);
        ob::dereference(child);
    }
};

HANDLE open(const ke::Process& process) {
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, nullptr, OBJ_KERNEL_HANDLE, nullptr, nullptr);
    CLIENT_ID client{reinterpret_cast<HANDLE>(process.id), nullptr};
    HANDLE handle = nullptr;
    return NT_SUCCESS(ZwOpenProcess(&handle, PROCESS_ALL_ACCESS, &attributes, &client)) ? handle : nullptr;
}

} // namespace

TEST_CASE_METHOD(HandlesFixture, "handles of processes and of their children agree with the model") {
    const unsigned seed = GENERATE(1u, 2u);
    const auto stop = run([&] {
        std::mt19937 random(seed);
        Model models[2];
        HANDLE processes[2];
        for (int i = 0; i < 2; ++i) {
            models[i].process = ps::create_process(machine(), "Application");
            REQUIRE(models[i].process != nullptr);
            processes[i] = open(*models[i].process);
        }
        for (int step = 0; step < steps; ++step) {
            const int which = static_cast<int>(random() % 2);
            Model& model = models[which];
            const unsigned action = random() % 100;
            if (step % 400 == 0) check_child(model);
            if (model.handles.empty() || action < 30) {
                create(model, random);
                continue;
            }
            const auto at = std::next(model.handles.begin(), static_cast<long>(random() % model.handles.size()));
            if (action < 60) {
                close(model, at);
            } else if (action < 75) {
                set_flags(model, at, random);
            } else {
                const int target = static_cast<int>(random() % 2);
                duplicate(model, at, models[target], processes[which], processes[target], random);
            }
            REQUIRE(ob::table_of(*model.process)->count == model.handles.size());
        }
        for (int i = 0; i < 2; ++i) {
            ZwTerminateProcess(processes[i], STATUS_SUCCESS);
            ZwClose(processes[i]);
            ob::dereference(models[i].process);
        }
    });
    CHECK(stop.kind == ke::StopKind::none);
}
