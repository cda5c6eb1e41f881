// Locks held against simple models of what their documents say: random orders to several threads, and after each one everybody
// who should have it has it, and everybody else waits.
#include "crew.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr int steps = 12'000;
constexpr unsigned threads = 6;
using LockCrew = Crew<threads>;

ke::MachineOptions two_processors() {
    ke::MachineOptions options;
    options.processors = 2;
    options.run_budget = ~std::uint64_t{0} >> 1;
    return options;
}

// Owners: threads by number, owner pointers from 100 on.
struct ResourceModel {
    std::map<unsigned, unsigned> owners;
    bool exclusive = false;
    std::deque<unsigned> exclusive_waiters;
    std::set<unsigned> shared_waiters;

    [[nodiscard]] bool owns(unsigned who) const { return owners.count(who) != 0; }

    // True: it has it at once.
    bool acquire_exclusive(unsigned who, bool wait) {
        if (owners.empty() || (exclusive && owns(who))) {
            exclusive = true;
            ++owners[who];
            return true;
        }
        if (wait) exclusive_waiters.push_back(who);
        return false;
    }
    bool acquire_shared(unsigned who, bool wait, bool starve, bool behind) {
        bool waits = exclusive && !owns(who);
        if (!exclusive && !exclusive_waiters.empty() && !starve) waits = behind || !owns(who);
        if (!waits) {
            ++owners[who];
            return true;
        }
        if (wait) shared_waiters.insert(who);
        return false;
    }
    void admit_shared() {
        for (const unsigned who : shared_waiters) ++owners[who];
        shared_waiters.clear();
    }
    void release(unsigned who) {
        if (--owners[who] != 0) return;
        owners.erase(who);
        if (!owners.empty()) return;
        const bool was_exclusive = std::exchange(exclusive, false);
        if (was_exclusive && !shared_waiters.empty()) return admit_shared();
        if (exclusive_waiters.empty()) return;
        exclusive = true;
        owners[exclusive_waiters.front()] = 1;
        exclusive_waiters.pop_front();
    }
    void convert() {
        exclusive = false;
        admit_shared();
    }
    void hand_on(unsigned who, unsigned pointer) {
        owners[pointer] += owners[who];
        owners.erase(who);
    }
    [[nodiscard]] bool waits(unsigned who) const {
        return shared_waiters.count(who) != 0 ||
               std::find(exclusive_waiters.begin(), exclusive_waiters.end(), who) != exclusive_waiters.end();
    }
};

class ResourceRun {
public:
    ResourceRun(LockCrew& crew, ERESOURCE& resource, unsigned seed) : crew_(crew), resource_(resource), random_(seed) {}

    void run() {
        for (int i = 0; i < steps; ++i) {
            unsigned who = pick(threads);
            while (!crew_.idle(who)) who = (who + 1) % threads;
            step(who);
            check(who);
        }
        while (!model_.owners.empty()) release_for(first_idle(), model_.owners.begin()->first);
        CHECK(crew_.idle_count() == threads);
        CHECK(blocked_ > steps / 20);
        CHECK(refused_ > steps / 50);
    }

private:
    unsigned pick(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
    unsigned first_idle() const {
        unsigned who = 0;
        while (!crew_.idle(who)) ++who;
        return who;
    }
    static PVOID pointer(unsigned owner) { return reinterpret_cast<PVOID>(ULONG_PTR{owner} * 64 | 3); }
    ERESOURCE_THREAD id(unsigned owner) const {
        return owner < threads ? reinterpret_cast<ERESOURCE_THREAD>(crew_.thread(owner))
                               : reinterpret_cast<ERESOURCE_THREAD>(pointer(owner));
    }

    // The last of all idle threads does nothing that could block it: somebody must be there to release.
    bool may_wait() { return crew_.idle_count() > 1 && pick(4) != 0; }

    void step(unsigned who) {
        const unsigned what = pick(12);
        if (what < 5) return acquire(who, what);
        if (what == 5 && model_.exclusive && model_.owns(who)) {
            model_.convert();
            return crew_.tell(who, [&] { ExConvertExclusiveToSharedLite(&resource_); });
        }
        if (what == 6 && model_.owns(who)) {
            const unsigned to = 100 + pick(3);
            model_.hand_on(who, to);
            return crew_.tell(who, [&, to] { ExSetResourceOwnerPointer(&resource_, pointer(to)); });
        }
        if (model_.owners.empty()) return;
        if (model_.owns(who)) {
            model_.release(who);
            return crew_.tell(who, [&] { ExReleaseResourceLite(&resource_); });
        }
        for (const auto& [owner, count] : model_.owners) { // for an owner pointer, or for who is blocked
            if (owner >= 100 || !crew_.idle(owner)) return release_for(who, owner);
        }
    }

    void release_for(unsigned who, unsigned owner) {
        model_.release(owner);
        crew_.tell(who, [this, thread = id(owner)] { ExReleaseResourceForThreadLite(&resource_, thread); });
    }

    void acquire(unsigned who, unsigned how) {
        const bool wait = may_wait();
        const bool exclusive = how < 2;
        if (exclusive && wait && model_.owns(who) && !model_.exclusive) return; // would wait for itself
        const bool at_once =
            exclusive ? model_.acquire_exclusive(who, wait) : model_.acquire_shared(who, wait, how == 3, how == 4);
        const auto function = exclusive  ? ExAcquireResourceExclusiveLite
                              : how == 3 ? ExAcquireSharedStarveExclusive
                              : how == 4 ? ExAcquireSharedWaitForExclusive
                                         : ExAcquireResourceSharedLite;
        got_[who] = 2;
        crew_.tell(who, [this, who, function, wait] { got_[who] = function(&resource_, wait); });
        if (!at_once && !wait) CHECK(got_[who] == FALSE);
        refused_ += !at_once && !wait;
        blocked_ += !at_once && wait;
    }

    void check(unsigned who) {
        bool sound = ExGetSharedWaiterCount(&resource_) == model_.shared_waiters.size() &&
                     ExGetExclusiveWaiterCount(&resource_) == model_.exclusive_waiters.size() &&
                     resource_.ActiveEntries == model_.owners.size();
        for (unsigned i = 0; i < threads; ++i) sound = sound && crew_.idle(i) != model_.waits(i);
        if (crew_.idle(who)) {
            ULONG shared = 0;
            BOOLEAN exclusive = FALSE;
            crew_.tell(who, [&] {
                shared = ExIsResourceAcquiredSharedLite(&resource_);
                exclusive = ExIsResourceAcquiredExclusiveLite(&resource_);
            });
            sound = sound && shared == (model_.owns(who) ? model_.owners[who] : 0) &&
                    (exclusive != FALSE) == (model_.exclusive && model_.owns(who));
        }
        REQUIRE(sound);
    }

    LockCrew& crew_;
    ERESOURCE& resource_;
    std::minstd_rand random_;
    ResourceModel model_;
    int got_[threads] = {};
    int blocked_ = 0;
    int refused_ = 0;
};

} // namespace

TEST_CASE("a resource does what its model does", "[resource][property]") {
    LockCrew crew(two_processors());
    ERESOURCE resource;
    crew.run([&] {
        ExInitializeResourceLite(&resource);
        ResourceRun(crew, resource, 20'26).run();
        CHECK(ExDeleteResourceLite(&resource) == STATUS_SUCCESS);
    });
}

TEST_CASE("a push lock does what its model does", "[pushlock][property]") {
    LockCrew crew(two_processors());
    EX_PUSH_LOCK lock = 0x5555;
    crew.run([&] {
        std::minstd_rand random(7);
        std::set<unsigned> owners;
        bool exclusive = false;
        std::deque<std::pair<unsigned, bool>> waiters;
        int blocked = 0;
        const auto admit = [&] {
            while (!waiters.empty() && (owners.empty() || (!exclusive && !waiters.front().second))) {
                exclusive = waiters.front().second;
                owners.insert(waiters.front().first);
                waiters.pop_front();
            }
        };
        const auto release = [&](unsigned who) {
            const bool was_exclusive = exclusive;
            owners.erase(who);
            if (owners.empty()) exclusive = false;
            const bool either = random() % 4 == 0;
            if (owners.empty()) admit();
            crew.tell(who, [&, was_exclusive, either] {
                if (either) {
                    ExReleasePushLock(&lock);
                } else if (was_exclusive) {
                    ExReleasePushLockExclusive(&lock);
                } else {
                    ExReleasePushLockShared(&lock);
                }
            });
        };
        ExInitializePushLock(&lock);
        for (int i = 0; i < steps; ++i) {
            auto who = static_cast<unsigned>(random() % threads);
            while (!crew.idle(who)) who = (who + 1) % threads;
            if (owners.count(who) != 0) {
                release(who);
            } else {
                const bool wants_exclusive = random() % 3 == 0;
                waiters.emplace_back(who, wants_exclusive);
                const bool first = waiters.size() == 1;
                if (first) admit();
                blocked += owners.count(who) == 0;
                crew.tell(who, [&, wants_exclusive] {
                    wants_exclusive ? ExAcquirePushLockExclusive(&lock) : ExAcquirePushLockShared(&lock);
                });
            }
            bool sound = (lock == 0) == owners.empty() && crew.idle_count() == threads - waiters.size();
            for (const unsigned owner : owners) sound = sound && crew.idle(owner);
            REQUIRE(sound);
        }
        CHECK(blocked > steps / 20);
        while (!owners.empty()) release(*owners.begin());
        CHECK(crew.idle_count() == threads);
        CHECK(lock == 0);
    });
}

namespace {

// Both forms of rundown protection behind one face.
struct Plain {
    EX_RUNDOWN_REF reference{{0x5555}};
    Plain() { ExInitializeRundownProtection(&reference); }
    bool acquire(ULONG n) {
        return (n == 1 ? ExAcquireRundownProtection(&reference) : ExAcquireRundownProtectionEx(&reference, n)) != FALSE;
    }
    void release(ULONG n) {
        n == 1 ? ExReleaseRundownProtection(&reference) : ExReleaseRundownProtectionEx(&reference, n);
    }
    void wait() { ExWaitForRundownProtectionRelease(&reference); }
    void complete() { ExRundownCompleted(&reference); }
    void begin_anew() { ExReInitializeRundownProtection(&reference); }
};

struct CacheAware {
    PEX_RUNDOWN_REF_CACHE_AWARE reference = ExAllocateCacheAwareRundownProtection(NonPagedPoolNx, 0x6E647552);
    ~CacheAware() { ExFreeCacheAwareRundownProtection(reference); }
    bool acquire(ULONG n) {
        return (n == 1 ? ExAcquireRundownProtectionCacheAware(reference)
                       : ExAcquireRundownProtectionCacheAwareEx(reference, n)) != FALSE;
    }
    void release(ULONG n) {
        n == 1 ? ExReleaseRundownProtectionCacheAware(reference) : ExReleaseRundownProtectionCacheAwareEx(reference, n);
    }
    void wait() { ExWaitForRundownProtectionReleaseCacheAware(reference); }
    void complete() { ExRundownCompletedCacheAware(reference); }
    void begin_anew() { ExReInitializeRundownProtectionCacheAware(reference); }
};

template <class Protection> void run_rundown() {
    LockCrew crew(two_processors());
    crew.run([&] {
        Protection protection;
        std::minstd_rand random(11);
        unsigned references = 0;
        bool ended = false; // references are given no more
        unsigned waiting = 0;
        int waits = 0;
        for (int i = 0; i < steps; ++i) {
            auto who = static_cast<unsigned>(random() % threads);
            while (!crew.idle(who)) who = (who + 1) % threads;
            const auto what = random() % 16;
            const auto n = static_cast<ULONG>(1 + random() % 3);
            if (what < 8) {
                bool got = false;
                crew.tell(who, [&] { got = protection.acquire(n); });
                REQUIRE(got == !ended);
                references += got ? n : 0;
            } else if (what < 14) {
                const ULONG some = std::min<ULONG>(references, n + static_cast<ULONG>(random() % 2 * 3));
                if (some != 0) crew.tell(who, [&] { protection.release(some); });
                references -= some;
            } else if (crew.idle_count() > 1) {
                ended = true;
                waits += references != 0;
                crew.tell(who, [&] { protection.wait(); });
                waiting += references != 0;
            }
            if (references == 0) waiting = 0;
            REQUIRE(crew.idle_count() == threads - waiting);
            if (ended && references == 0 && random() % 4 == 0) {
                crew.tell(who, [&] {
                    protection.complete();
                    protection.wait(); // at once
                    protection.begin_anew();
                });
                ended = false;
            }
        }
        CHECK(waits > 100);
        unsigned who = 0;
        while (!crew.idle(who)) ++who;
        if (references != 0) crew.tell(who, [&] { protection.release(references); });
        CHECK(crew.idle_count() == threads);
    });
}

} // namespace

TEST_CASE("rundown protection does what its model does", "[rundown][property]") { run_rundown<Plain>(); }
TEST_CASE("cache-aware rundown protection does what its model does", "[rundown][property]") {
    run_rundown<CacheAware>();
}
