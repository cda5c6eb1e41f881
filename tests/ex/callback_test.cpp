// Callback objects; push locks and rundown protection by hand (lock_property_test.cpp has them at random).
#include "crew.hpp"

#include "ex/callback.hpp"
#include "ex/pool.hpp"
#include "ke/scheduler.hpp"
#include "ke/thread.hpp"
#include "ob/object.hpp"
#include "ob/state.hpp"
#include "support/names.hpp"

#include <string>

using namespace dirql;
using namespace dirql::test;

namespace {

// A machine with objects.
struct ObjectFixture {
    KernelFixture kernel = KernelFixture({ob::initialize});
    std::string journal;
};

PCALLBACK_OBJECT callback(std::u16string_view path, BOOLEAN create, BOOLEAN many, NTSTATUS* status = nullptr) {
    UNICODE_STRING name = unicode(path);
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, nullptr, nullptr);
    PCALLBACK_OBJECT object = nullptr;
    const NTSTATUS result = ExCreateCallback(&object, &attributes, create, many);
    if (status != nullptr) *status = result;
    CHECK((status != nullptr || result == STATUS_SUCCESS));
    return object;
}

// "<context><argument1><argument2>;"
VOID NTAPI note(PVOID context, PVOID argument1, PVOID argument2) {
    auto& journal = *static_cast<std::string*>(context);
    journal += std::to_string(reinterpret_cast<std::uintptr_t>(argument1)) +
               std::to_string(reinterpret_cast<std::uintptr_t>(argument2)) + "@" + std::to_string(KeGetCurrentIrql()) +
               ";";
}

PVOID number(std::uintptr_t value) { return reinterpret_cast<PVOID>(value); }

} // namespace

TEST_CASE_METHOD(ObjectFixture, "a callback object calls what is registered, at the caller's level", "[callback]") {
    const ke::Stop stop = kernel.run([&] {
        const std::size_t blocks = ex::pool_totals().blocks;
        PCALLBACK_OBJECT object = callback(u"\\Callback\\Mine", TRUE, TRUE);
        std::string first;
        std::string second;
        PVOID a = ExRegisterCallback(object, note, &first);
        REQUIRE(a != nullptr);
        ExNotifyCallback(object, number(1), number(2));
        PVOID b = ExRegisterCallback(object, note, &second);
        REQUIRE(b != nullptr);
        const KIRQL old = KeRaiseIrqlToDpcLevel();
        ExNotifyCallback(object, number(3), number(4));
        KeLowerIrql(old);
        ExUnregisterCallback(a);
        ExNotifyCallback(object, nullptr, nullptr);
        ExUnregisterCallback(b);
        ExNotifyCallback(object, number(5), nullptr);
        CHECK(first == "12@0;34@2;");
        CHECK(second == "34@2;00@0;");
        ObDereferenceObject(object);
        CHECK(ex::pool_totals().blocks == blocks);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ObjectFixture, "callbacks are called in the order of their registration", "[callback]") {
    const ke::Stop stop = kernel.run([&] {
        struct Named {
            std::string* journal;
            char name;
        };
        const PCALLBACK_FUNCTION say = [](PVOID context, PVOID, PVOID) {
            *static_cast<Named*>(context)->journal += static_cast<Named*>(context)->name;
        };
        PCALLBACK_OBJECT object = callback(u"\\Callback\\Ordered", TRUE, TRUE);
        Named named[] = {{&journal, 'a'}, {&journal, 'b'}, {&journal, 'c'}};
        PVOID registered[3];
        for (int i = 0; i < 3; ++i) registered[i] = ExRegisterCallback(object, say, &named[i]);
        ExNotifyCallback(object, nullptr, nullptr);
        ExUnregisterCallback(registered[1]);
        ExNotifyCallback(object, nullptr, nullptr);
        registered[1] = ExRegisterCallback(object, say, &named[1]); // last now
        ExNotifyCallback(object, nullptr, nullptr);
        CHECK(journal == "abcacacb");
        for (PVOID registration : registered) ExUnregisterCallback(registration);
        ObDereferenceObject(object);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ObjectFixture, "making and finding callback objects", "[callback]") {
    const ke::Stop stop = kernel.run([&] {
        NTSTATUS status = 0;
        CHECK(callback(u"\\Callback\\Nobody", FALSE, TRUE, &status) == nullptr);
        CHECK(status == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(callback(u"\\Nowhere\\Mine", TRUE, TRUE, &status) == nullptr);
        CHECK(status == STATUS_OBJECT_PATH_NOT_FOUND);
        CHECK(callback(u"\\Device", TRUE, TRUE, &status) == nullptr);
        CHECK(status == STATUS_OBJECT_NAME_COLLISION);
        OBJECT_ATTRIBUTES unnamed;
        InitializeObjectAttributes(&unnamed, nullptr, 0, nullptr, nullptr);
        PCALLBACK_OBJECT object = nullptr;
        CHECK(ExCreateCallback(&object, &unnamed, TRUE, TRUE) == STATUS_UNSUCCESSFUL);
        for (const std::u16string_view path :
             {u"\\Callback\\SetSystemTime", u"\\callback\\powerstate", u"\\Callback\\ProcessorAdd"}) {
            PCALLBACK_OBJECT system = callback(path, FALSE, FALSE);
            PVOID one = ExRegisterCallback(system, note, &journal);
            PVOID two = ExRegisterCallback(system, note, &journal);
            CHECK(one != nullptr);
            CHECK(two != nullptr);
            ExUnregisterCallback(one);
            ExUnregisterCallback(two);
            ObDereferenceObject(system);
        }
        // One that allows a single routine; its name goes with its handle, but a permanent one's stays.
        UNICODE_STRING name = unicode(u"\\Callback\\Single");
        OBJECT_ATTRIBUTES permanent;
        InitializeObjectAttributes(&permanent, &name, OBJ_PERMANENT, nullptr, nullptr);
        REQUIRE(ExCreateCallback(&object, &permanent, TRUE, FALSE) == STATUS_SUCCESS);
        CHECK(callback(u"\\Callback\\Single", FALSE, TRUE) == object);
        ObDereferenceObject(object);
        PVOID registered = ExRegisterCallback(object, note, &journal);
        CHECK(registered != nullptr);
        CHECK(ExRegisterCallback(object, note, &journal) == nullptr);
        ExUnregisterCallback(registered);
        registered = ExRegisterCallback(object, note, &journal);
        CHECK(registered != nullptr);
        ExUnregisterCallback(registered);
        ObMakeTemporaryObject(object);
        ObDereferenceObject(object);
        CHECK(callback(u"\\Callback\\Single", FALSE, TRUE, &status) == nullptr);
        CHECK(status == STATUS_OBJECT_NAME_NOT_FOUND);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ObjectFixture, "who unregisters a callback waits until it runs no more", "[callback]") {
    struct Shared {
        PCALLBACK_OBJECT object;
        PVOID registration;
        int entered;
        int left;
        bool unregistered;
    } shared{};
    const auto pause = [](LONGLONG us) {
        LARGE_INTEGER time;
        time.QuadPart = -10 * us;
        KeDelayExecutionThread(KernelMode, FALSE, &time);
    };
    const ke::Stop stop = kernel.run({[&] {
                                          shared.object = callback(u"\\Callback\\Slow", TRUE, TRUE);
                                          shared.registration = ExRegisterCallback(
                                              shared.object,
                                              [](PVOID context, PVOID, PVOID) {
                                                  auto& seen = *static_cast<Shared*>(context);
                                                  ++seen.entered;
                                                  LARGE_INTEGER time;
                                                  time.QuadPart = -10'000;
                                                  KeDelayExecutionThread(KernelMode, FALSE, &time);
                                                  ++seen.left;
                                                  CHECK_FALSE(seen.unregistered);
                                              },
                                              &shared);
                                          ExNotifyCallback(shared.object, nullptr, nullptr);
                                          pause(2000);
                                          CHECK(shared.unregistered);
                                          ObDereferenceObject(shared.object);
                                      },
                                      [&] {
                                          pause(300);
                                          ExUnregisterCallback(shared.registration);
                                          shared.unregistered = true;
                                          CHECK(shared.left == shared.entered);
                                      },
                                      [&] { // comes while the other waits: the routine is not called again
                                          pause(500);
                                          ExNotifyCallback(shared.object, nullptr, nullptr);
                                          CHECK(shared.entered == 1);
                                      }});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(shared.left == 1);
}

TEST_CASE_METHOD(ObjectFixture, "who waited for a callback may unregister the next one too, at once", "[callback]") {
    struct Shared {
        PCALLBACK_OBJECT object;
        PVOID first, second, third;
        int second_ran, third_ran;
        std::size_t blocks;
    } shared{};
    const auto pause = [](LONGLONG us) {
        LARGE_INTEGER time;
        time.QuadPart = -10 * us;
        KeDelayExecutionThread(KernelMode, FALSE, &time);
    };
    const auto slow = [](PVOID, PVOID, PVOID) {
        LARGE_INTEGER time;
        time.QuadPart = -10'000;
        KeDelayExecutionThread(KernelMode, FALSE, &time);
    };
    const auto count = [](PVOID counter, PVOID, PVOID) { ++*static_cast<int*>(counter); };
    const ke::Stop stop = kernel.run({[&] {
                                          shared.object = callback(u"\\Callback\\Chain", TRUE, TRUE);
                                          shared.blocks = ex::pool_totals().blocks;
                                          shared.first = ExRegisterCallback(shared.object, slow, nullptr);
                                          shared.second = ExRegisterCallback(shared.object, count, &shared.second_ran);
                                          shared.third = ExRegisterCallback(shared.object, count, &shared.third_ran);
                                          ExNotifyCallback(shared.object, nullptr, nullptr);
                                          pause(1000);
                                          CHECK(shared.third_ran == 1);
                                          ExUnregisterCallback(shared.third);
                                          CHECK(ex::pool_totals().blocks == shared.blocks);
                                          ObDereferenceObject(shared.object);
                                      },
                                      [&] { // runs on as soon as the first one's routine is left
                                          ke::current_thread()->base_priority = LOW_REALTIME_PRIORITY;
                                          ke::set_priority(*ke::current_thread(), LOW_REALTIME_PRIORITY);
                                          pause(300);
                                          ExUnregisterCallback(shared.first);
                                          const int ran = shared.second_ran;
                                          ExUnregisterCallback(shared.second);
                                          CHECK(ran == 0);
                                          CHECK(shared.second_ran == 0);
                                      }});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(shared.third_ran == 1);
}

TEST_CASE("misuse of push locks and rundown protection", "[pushlock][rundown][bugcheck]") {
    KernelFixture kernel;
    EX_PUSH_LOCK lock = 0;
    EX_RUNDOWN_REF reference;
    ke::Stop stop{};
    std::uint32_t code = KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE;
    std::uint64_t p2 = ke::parameter(&lock);
    std::uint64_t p4 = 0;
    SECTION("released and not owned") {
        stop = kernel.run([&] {
            ExInitializePushLock(&lock);
            ExAcquirePushLockShared(&lock);
            ExReleasePushLockShared(&lock);
            ExReleasePushLock(&lock);
        });
    }
    SECTION("released as if it were shared") {
        stop = kernel.run([&] {
            ExInitializePushLock(&lock);
            ExAcquirePushLockExclusive(&lock);
            ExReleasePushLockShared(&lock);
        });
    }
    SECTION("released as if it were owned exclusively") {
        stop = kernel.run([&] {
            ExInitializePushLock(&lock);
            ExAcquirePushLockShared(&lock);
            ExReleasePushLockExclusive(&lock);
        });
    }
    SECTION("more references released than acquired") {
        code = KERNEL_SECURITY_CHECK_FAILURE;
        p2 = 0;
        p4 = ke::parameter(&reference);
        stop = kernel.run([&] {
            ExInitializeRundownProtection(&reference);
            CHECK(ExAcquireRundownProtection(&reference) == TRUE);
            ExReleaseRundownProtectionEx(&reference, 2);
        });
    }
    SECTION("a reference released after rundown") {
        code = KERNEL_SECURITY_CHECK_FAILURE;
        p2 = 0;
        p4 = ke::parameter(&reference);
        stop = kernel.run([&] {
            ExInitializeRundownProtection(&reference);
            ExWaitForRundownProtectionRelease(&reference);
            ExReleaseRundownProtection(&reference);
        });
    }
    CHECK(stop.code == code);
    CHECK(stop.parameters[1] == p2);
    CHECK(stop.parameters[3] == p4);
}

TEST_CASE("what is marked as run down gives no reference until it begins anew", "[rundown]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        EX_RUNDOWN_REF plain;
        ExInitializeRundownProtection(&plain);
        CHECK(ExAcquireRundownProtection(&plain) == TRUE);
        ExReleaseRundownProtection(&plain);
        ExRundownCompleted(&plain);
        CHECK(ExAcquireRundownProtection(&plain) == FALSE);
        ExWaitForRundownProtectionRelease(&plain); // there is nothing left to wait for
        ExReInitializeRundownProtection(&plain);
        CHECK(ExAcquireRundownProtection(&plain) == TRUE);

        PEX_RUNDOWN_REF_CACHE_AWARE shared = ExAllocateCacheAwareRundownProtection(NonPagedPoolNx, 0x6E647552);
        REQUIRE(shared != nullptr);
        ExRundownCompletedCacheAware(shared);
        CHECK(ExAcquireRundownProtectionCacheAware(shared) == FALSE);
        ExWaitForRundownProtectionReleaseCacheAware(shared);
        ExReInitializeRundownProtectionCacheAware(shared);
        CHECK(ExAcquireRundownProtectionCacheAware(shared) == TRUE);
        ExReleaseRundownProtectionCacheAware(shared);
        ExFreeCacheAwareRundownProtection(shared);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("cache-aware rundown protection in the driver's own memory", "[rundown]") {
    ke::MachineOptions options;
    options.processors = 3;
    KernelFixture kernel({}, options);
    const ke::Stop stop = kernel.run([&] {
        constexpr ULONG tag = 0x41776361;
        const SIZE_T whole = ExSizeOfRundownProtectionCacheAware();
        CHECK(whole >= 3 * 64);
        for (const SIZE_T bytes : {whole, SIZE_T{64}}) {
            auto* memory = static_cast<PEX_RUNDOWN_REF_CACHE_AWARE>(ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, tag));
            ExInitializeRundownProtectionCacheAware(memory, bytes);
            CHECK(ExAcquireRundownProtectionCacheAwareEx(memory, 5) == TRUE);
            CHECK(ExAcquireRundownProtectionCacheAware(memory) == TRUE);
            ExReleaseRundownProtectionCacheAwareEx(memory, 6);
            ExWaitForRundownProtectionReleaseCacheAware(memory);
            CHECK(ExAcquireRundownProtectionCacheAware(memory) == FALSE);
            ExRundownCompletedCacheAware(memory);
            ExReInitializeRundownProtectionCacheAware(memory);
            CHECK(ExAcquireRundownProtectionCacheAware(memory) == TRUE);
            ExFreePoolWithTag(memory, tag); // the guard behind the block is looked at
        }
        const std::size_t blocks = ex::pool_totals().blocks;
        PEX_RUNDOWN_REF_CACHE_AWARE own = ExAllocateCacheAwareRundownProtection(PagedPool, tag);
        REQUIRE(own != nullptr);
        CHECK(ex::find_pool_block(own).tag == tag);
        CHECK(ex::find_pool_block(own).paged);
        ExFreeCacheAwareRundownProtection(own);
        CHECK(ex::pool_totals().blocks == blocks);
        ke::Choice& choice = ke::current_machine().choice;
        choice.fail_allocation(1);
        ex::allow_allocation_failures(ke::current_machine(), true);
        CHECK(ExAllocateCacheAwareRundownProtection(NonPagedPoolNx, tag) == nullptr);
        ex::allow_allocation_failures(ke::current_machine(), false);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
