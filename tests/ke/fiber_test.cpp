// Fibers: what belongs to a flow stays with it across switches.
#include "machines.hpp"

#include <stdexcept>

using namespace ke_test;

namespace {

// Throws and catches at several depths, with switches between any two steps.
void juggle_exceptions(int who, int rounds) {
    for (int round = 0; round < rounds; ++round) {
        try {
            sleep_us(1);
            throw std::runtime_error(std::to_string(who));
        } catch (const std::runtime_error& outer) {
            sleep_us(1);
            REQUIRE(std::current_exception() != nullptr);
            try {
                throw who * 1000 + round;
            } catch (const int& inner) {
                sleep_us(1);
                REQUIRE(inner == who * 1000 + round);
            }
            REQUIRE(outer.what() == std::to_string(who));
            try {
                sleep_us(1);
                throw; // the outer one, whatever others threw meanwhile
            } catch (const std::runtime_error& again) {
                REQUIRE(again.what() == std::to_string(who));
            }
        }
        REQUIRE(std::uncaught_exceptions() == 0);
        REQUIRE(std::current_exception() == nullptr);
    }
}

struct SwitchingDestructor {
    int* seen;
    ~SwitchingDestructor() {
        sleep_us(3); // others throw and catch while this exception is on its way
        *seen = std::uncaught_exceptions();
    }
};

} // namespace

TEST_CASE("exceptions of several threads, interleaved at every step, stay apart", "[ke][fiber]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Bodies bodies;
        for (int who = 0; who < 6; ++who) bodies.push_back([who] { juggle_exceptions(who, 20); });
        check_finished(kernel.run(bodies));
    });
}

TEST_CASE("a switch while an exception unwinds keeps its count with its thread", "[ke][fiber]") {
    KernelFixture kernel({}, shape(2));
    int seen[2] = {};
    Bodies bodies;
    for (int& count : seen) {
        bodies.push_back([&count] {
            try {
                const SwitchingDestructor local{&count};
                throw 1;
            } catch (int) {
            }
        });
    }
    bodies.push_back([] { juggle_exceptions(7, 5); });
    check_finished(kernel.run(bodies));
    CHECK(seen[0] == 1);
    CHECK(seen[1] == 1);
    CHECK(std::uncaught_exceptions() == 0);
}

TEST_CASE("an exception that leaves a thread's body reaches the caller of run", "[ke][fiber]") {
    KernelFixture kernel;
    CHECK_THROWS_AS(kernel.run([] {
        sleep_us(10);
        throw std::out_of_range("body");
    }),
                    std::out_of_range);
    check_finished(kernel.run([] { sleep_us(1); })); // the machine goes on
}

TEST_CASE("so does one of an application thread", "[ke][fiber]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    CHECK_THROWS_AS(kernel.run_as_application(process, [] { throw std::out_of_range("application"); }),
                    std::out_of_range);
}

TEST_CASE("floating-point registers and stack contents survive switches", "[ke][fiber]") {
    KernelFixture kernel({}, shape(3, 4));
    Bodies bodies;
    for (int who = 1; who <= 5; ++who) {
        bodies.push_back([who] {
            volatile double sum = 0;
            double local[64];
            for (double& value : local) value = who;
            for (const double value : local) {
                sum = sum + value;
                work(50);
                sleep_us(1);
            }
            CHECK(sum == 64.0 * who);
        });
    }
    check_finished(kernel.run(bodies));
}
