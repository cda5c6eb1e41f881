// Remove locks, in the layouts of a driver's checked and free builds.
#include "closure_driver.hpp"

#include <utility>

using namespace dirql;
using namespace dirql::test;

namespace {

// Both layouts, told apart by the size that is passed: as the macros do for the build that they are compiled in.
struct FreeLock {
    IO_REMOVE_LOCK_COMMON_BLOCK common;
};
struct CheckedLock {
    IO_REMOVE_LOCK_COMMON_BLOCK common;
    IO_REMOVE_LOCK_DBG_BLOCK debug;
};

template <class Layout> struct Lock {
    Layout* memory = kernel_object<Layout>();
    PIO_REMOVE_LOCK lock = reinterpret_cast<PIO_REMOVE_LOCK>(memory);
    explicit Lock(ULONG minutes = 0, ULONG high_watermark = 0) {
        IoInitializeRemoveLockEx(lock, 0x6B636F4C, minutes, high_watermark, sizeof(Layout));
    }
    ~Lock() { ExFreePool(memory); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    NTSTATUS acquire(int tag, const char* file = "driver.c", ULONG line = 1) {
        return IoAcquireRemoveLockEx(lock, tag_of(tag), file, line, sizeof(Layout));
    }
    void release(int tag) { IoReleaseRemoveLockEx(lock, tag_of(tag), sizeof(Layout)); }
    void release_and_wait(int tag) { IoReleaseRemoveLockAndWaitEx(lock, tag_of(tag), sizeof(Layout)); }
    static void* tag_of(int tag) { return reinterpret_cast<void*>(static_cast<LONG_PTR>(tag)); }
};

void in_kernel(Lab& lab, const std::function<void()>& body) { CHECK(lab.machine.run_in_kernel(body).finished()); }

VOID NTAPI call(PVOID context) { (*static_cast<std::function<void()>*>(context))(); }

void in_other_thread(std::function<void()>& body, PVOID* thread) {
    HANDLE handle;
    PsCreateSystemThread(&handle, 0, nullptr, nullptr, nullptr, call, &body);
    ObReferenceObjectByHandle(handle, SYNCHRONIZE, nullptr, KernelMode, thread, nullptr);
    ZwClose(handle);
}

void sleep_ms(LONGLONG ms) {
    LARGE_INTEGER time;
    time.QuadPart = -ms * 10'000;
    KeDelayExecutionThread(KernelMode, FALSE, &time);
}

template <class Layout> void last_release_waits() {
    Lab lab;
    in_kernel(lab, [&] {
        Lock<Layout> lock;
        CHECK(lock.memory->common.IoCount == 1);
        CHECK(lock.acquire(1) == STATUS_SUCCESS);
        CHECK(lock.acquire(2) == STATUS_SUCCESS);
        CHECK(lock.acquire(2) == STATUS_SUCCESS); // as often as one likes
        CHECK(lock.acquire(3) == STATUS_SUCCESS);
        std::string order;
        std::function<void()> others = [&] {
            sleep_ms(1);
            CHECK(lock.acquire(9) == STATUS_DELETE_PENDING);
            lock.release(2);
            sleep_ms(1);
            lock.release(1);
            sleep_ms(1);
            order += "last ";
            lock.release(2);
        };
        PVOID thread;
        in_other_thread(others, &thread);
        lock.release_and_wait(3);
        order += "removed";
        CHECK(order == "last removed");
        CHECK(lock.acquire(1) == STATUS_DELETE_PENDING);
        CHECK(lock.memory->common.Removed);
        CHECK(lock.memory->common.IoCount == 0);
        KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, nullptr);
        ObDereferenceObject(thread);
    });
}

} // namespace

TEST_CASE("IoReleaseRemoveLockAndWait returns when the last acquisition is released, and no new one succeeds") {
    last_release_waits<FreeLock>();
    last_release_waits<CheckedLock>();
}

TEST_CASE(
    "with nobody else at work IoReleaseRemoveLockAndWait returns at once; locks are taken at DISPATCH_LEVEL too") {
    Lab lab;
    in_kernel(lab, [&] {
        Lock<CheckedLock> lock;
        KIRQL irql;
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        for (int i = 0; i < 100; ++i) CHECK(lock.acquire(i % 7) == STATUS_SUCCESS);
        for (int i = 0; i < 100; ++i) lock.release((i * 3) % 7 == 0 ? i % 7 : i % 7);
        KeLowerIrql(irql);
        CHECK(lock.memory->debug.Blocks == nullptr);
        CHECK(lock.acquire(5) == STATUS_SUCCESS);
        lock.release_and_wait(5);
        CHECK(lock.memory->debug.Blocks == nullptr);
    });
}

TEST_CASE("a driver's own macros work on the layout of its build") {
    Lab lab;
    in_kernel(lab, [&] {
        auto* lock = kernel_object<IO_REMOVE_LOCK>();
        IoInitializeRemoveLock(lock, 0x6B636F4C, 1, 2);
        CHECK(IoAcquireRemoveLock(lock, lock) == STATUS_SUCCESS);
        CHECK(IoAcquireRemoveLock(lock, nullptr) == STATUS_SUCCESS);
        IoReleaseRemoveLock(lock, nullptr);
        IoReleaseRemoveLockAndWait(lock, lock);
        CHECK(IoAcquireRemoveLock(lock, lock) == STATUS_DELETE_PENDING);
        ExFreePool(lock);
    });
}

TEST_CASE("the checked layout tells of a lock that is held too often or too long, and of where it was acquired") {
    Lab lab;
    in_kernel(lab, [&] {
        Lock<CheckedLock> lock(2, 3);
        for (int i = 0; i < 3; ++i) (void)lock.acquire(i);
        CHECK(lab.machine.debug_output().empty());
        (void)lock.acquire(3, "read.c", 77);
        CHECK(lab.machine.debug_output().find("is held 4 times, its high watermark is 3") != std::string::npos);
        CHECK(lab.machine.debug_output().find("read.c:77") != std::string::npos);
        sleep_ms(119'000);
        lock.release(0);
        CHECK(lab.machine.debug_output().find("its limit is") == std::string::npos);
        sleep_ms(2'000);
        lock.release(3);
        CHECK(lab.machine.debug_output().find("was held for 121 s, its limit is 2 min") != std::string::npos);
        CHECK(lab.machine.debug_output().find("acquired at read.c:77") != std::string::npos);
        lock.release(1);
        lock.release_and_wait(2);
    });
    Lab silent; // without limits
    in_kernel(silent, [&] {
        Lock<CheckedLock> lock;
        for (int i = 0; i < 50; ++i) (void)lock.acquire(0);
        sleep_ms(600'000);
        for (int i = 0; i < 50; ++i) lock.release(0);
    });
    CHECK(silent.machine.debug_output().empty());
}

namespace {

BugCheck bug_check_of(const std::function<void()>& body) {
    Lab lab;
    const Outcome outcome = lab.machine.run_in_kernel(body);
    CHECK(outcome.kind == OutcomeKind::bug_check);
    CHECK(outcome.bug_check.code == 0xC4);
    return outcome.bug_check;
}

struct Extension {
    IO_REMOVE_LOCK lock;
};

// What the I/O Verification option of Driver Verifier reports.
template <class Layout> void misuse_is_reported(bool by_tag) {
    const BugCheck once_too_often = bug_check_of([] {
        Lock<Layout> lock; // abandoned with its frame
        (void)lock.acquire(1);
        lock.release(1);
        lock.release(1);
    });
    CHECK(once_too_often.parameters[0] == 0xD5);
    CHECK(once_too_often.parameters[2] == 1);
    const BugCheck not_acquired = bug_check_of([] {
        Lock<Layout> lock;
        lock.release_and_wait(1);
    });
    CHECK(not_acquired.parameters[0] == 0xD6);
    const BugCheck twice = bug_check_of([] {
        Lock<Layout> lock; // abandoned with its frame
        (void)lock.acquire(1);
        lock.release_and_wait(1);
        lock.release_and_wait(1);
    });
    CHECK(twice.parameters[0] == 0xD6);
    if (!by_tag) return;
    const BugCheck wrong_tag = bug_check_of([] {
        Lock<Layout> lock; // abandoned with its frame
        (void)lock.acquire(1);
        lock.release(2);
    });
    CHECK(wrong_tag.parameters[0] == 0xD5);
    CHECK(wrong_tag.parameters[2] == 2);
    const BugCheck wrong_last_tag = bug_check_of([] {
        Lock<Layout> lock; // abandoned with its frame
        (void)lock.acquire(1);
        lock.release_and_wait(2);
    });
    CHECK(wrong_last_tag.parameters[0] == 0xD6);
    CHECK(wrong_last_tag.parameters[2] == 2);
    CHECK(wrong_last_tag.parameters[3] == 1);
}

} // namespace

TEST_CASE("releases that match no acquisition are bug check 0xC4 with 0xD5 and 0xD6") {
    misuse_is_reported<FreeLock>(false);
    misuse_is_reported<CheckedLock>(true);
}

TEST_CASE("a lock of a device extension that is initialised again is bug check 0xC4 with 0xD7") {
    for (const bool removed : {false, true}) {
        Lab lab;
        const auto loaded = lab.try_load("again", [&](PDRIVER_OBJECT driver) {
            PDEVICE_OBJECT device;
            IoCreateDevice(driver, sizeof(Extension), nullptr, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
            auto* lock = &static_cast<Extension*>(device->DeviceExtension)->lock;
            IoInitializeRemoveLock(lock, 0x6B636F4C, 0, 0);
            if (removed) {
                (void)IoAcquireRemoveLock(lock, driver);
                IoReleaseRemoveLockAndWait(lock, driver);
            }
            IoInitializeRemoveLock(lock, 0x6B636F4C, 0, 0);
            return STATUS_SUCCESS;
        });
        CHECK(!loaded);
        CHECK(lab.machine.outcome().bug_check.parameters[0] == 0xD7);
    }
}

TEST_CASE("an acquisition goes through without memory for its record, and so does its release") {
    Lab lab({.physical_memory = std::size_t{64} << 20});
    in_kernel(lab, [&] {
        Lock<CheckedLock> lock;
        struct Block {
            Block* next;
        };
        Block* taken = nullptr;
        for (std::size_t size = 1 << 20; size >= 16; size /= 2) {
            while (auto* block = static_cast<Block*>(ExAllocatePoolUninitialized(NonPagedPoolNx, size, 0x74736574))) {
                block->next = taken;
                taken = block;
            }
        }
        CHECK(lock.acquire(1) == STATUS_SUCCESS);
        CHECK(lock.acquire(2) == STATUS_SUCCESS);
        CHECK(lock.memory->debug.LowMemoryCount == 2);
        lock.release(1);
        while (taken != nullptr) ExFreePool(std::exchange(taken, taken->next));
        lock.release_and_wait(2);
        CHECK(lock.memory->debug.LowMemoryCount == 0);
    });
}
