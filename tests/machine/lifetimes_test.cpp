// Files, requests, threads and machines beyond their lives: an error of the program, told to it, and nobody else is harmed.
#include "catch.hpp"

#include "keeper.h"

#include <dirql/dirql.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

using namespace dirql;
using namespace std::chrono_literals;

namespace {

Machine with_keeper(Host& host) {
    Machine machine(host);
    machine.load(std::filesystem::path(DRIVER_PATH_keeper)).value();
    return machine;
}

// The letter of the device that a file reaches.
std::string which(File& file) {
    const IoResult result = file.device_control(KEEPER_WHICH, {}, 1);
    return result.data.empty() ? std::string() : std::string(1, static_cast<char>(result.data[0]));
}

} // namespace

TEST_CASE("a file kept beyond its run is closed with it: dropping it is nothing, using it an error") {
    Host host;
    std::optional<File> file;
    {
        Machine machine = with_keeper(host);
        machine.run([&](Process& process) { file = process.open("\\Device\\KeeperA").value(); });
        CHECK_THROWS_AS(file->device_control(KEEPER_WHICH), std::logic_error);
        CHECK_THROWS_AS(file->read(1), std::logic_error);
        CHECK_THROWS_AS(file->write(bytes("x")), std::logic_error);
        CHECK(file->close() == STATUS_INVALID_HANDLE);
        machine.run([&](Process& process) { file = process.open("\\Device\\KeeperA").value(); });
    }
    CHECK_THROWS_AS(file->start_read(1), std::logic_error); // the machine is gone as well
    file.reset();
}

TEST_CASE("a file of an earlier run neither reaches nor closes a file of this one with its handle's value") {
    Host host;
    Machine machine = with_keeper(host);
    std::optional<File> old;
    machine.run([&](Process& process) { old = process.open("\\Device\\KeeperA").value(); });
    const Outcome outcome = machine.run([&](Process& process) {
        File file = process.open("\\Device\\KeeperB").value();
        REQUIRE(file.handle() == old->handle());
        CHECK_THROWS_AS(old->device_control(KEEPER_WHICH, {}, 1), std::logic_error);
        old.reset();
        CHECK(which(file) == "B");
    });
    CHECK(outcome.finished());
}

TEST_CASE("a file of one machine is no file of another, even of one at the same place") {
    Host host;
    std::optional<File> old;
    const auto use_in = [&](Machine& machine) {
        const Outcome outcome = machine.run([&](Process& process) {
            File file = process.open("\\Device\\KeeperB").value();
            CHECK_THROWS_AS(which(*old), std::logic_error);
            CHECK(old->close() == STATUS_INVALID_HANDLE);
            CHECK(which(file) == "B");
        });
        CHECK(outcome.finished());
    };
    auto first = std::make_unique<Machine>(with_keeper(host));
    Machine second = with_keeper(host);
    const auto open = [&](Process& process) { old = process.open("\\Device\\KeeperA").value(); };
    first->run(open);
    use_in(second);
    first->run(open);
    first = nullptr;
    Machine third = with_keeper(host);
    use_in(third);
}

TEST_CASE("a request kept beyond its run has ended with it") {
    Host host;
    std::optional<Request> request;
    Machine machine = with_keeper(host);
    const Outcome outcome = machine.run([&](Process& process) {
        File file = process.open("\\Device\\KeeperA", {.overlapped = true}).value();
        request = file.start_read(1);
        CHECK(request->started() == STATUS_PENDING);
    });
    CHECK(outcome.finished());
    CHECK_THROWS_AS(request->wait(), std::logic_error);
    CHECK_THROWS_AS(request->done(), std::logic_error);
    CHECK_THROWS_AS(request->cancel(), std::logic_error);
    CHECK(machine.run([&](Process&) { request.reset(); }).finished());
}

TEST_CASE("a child process is waited for once, and one that was moved from is none") {
    Host host;
    Machine machine = with_keeper(host);
    const Outcome outcome = machine.run([](Process& process) {
        ChildProcess child = process.start_process([](Process&) {}).value();
        ChildProcess moved = std::move(child);
        CHECK_THROWS_AS(child.id(), std::logic_error); // NOLINT(bugprone-use-after-move)
        CHECK(moved.id() != process.id());
        CHECK(moved.wait() == STATUS_SUCCESS);
        CHECK_THROWS_AS(moved.wait(), std::logic_error);
        ProcessHandle self = process.open_process(process.id(), 0x1000).value();
        ProcessHandle other = std::move(self);
        CHECK(self.close() == STATUS_INVALID_HANDLE); // NOLINT(bugprone-use-after-move)
        CHECK(other.granted_access() == 0x1000);
        CHECK(other.close() == STATUS_SUCCESS);
        CHECK_THROWS_AS(other.granted_access(), std::logic_error);
    });
    CHECK(outcome.finished());
}

TEST_CASE("a request that nobody waits for is cancelled: a failed assertion does not stall the machine") {
    Host host;
    Machine machine = with_keeper(host);
    const auto fails = [&] {
        machine.run([](Process& process) {
            File file = process.open("\\Device\\KeeperA", {.overlapped = true}).value();
            const Request request = file.start_read(1);
            throw std::runtime_error("the test's own");
        });
    };
    CHECK_THROWS_WITH(fails(), "the test's own");
    CHECK(machine.outcome().finished());
    const Outcome outcome = machine.run([](Process& process) {
        File file = process.open("\\Device\\KeeperA", {.overlapped = true}).value();
        Request request = file.start_read(1);
        request = file.start_read(2);
        CHECK(request.cancel() == STATUS_SUCCESS);
        CHECK(request.cancel() == STATUS_NOT_FOUND);
        CHECK(request.wait().status == STATUS_CANCELLED);
        CHECK(request.wait().status == STATUS_CANCELLED);
    });
    CHECK(outcome.finished());
}

TEST_CASE("a closed file is told as the program's error, and the machine goes on") {
    Host host;
    Machine machine = with_keeper(host);
    const Outcome outcome = machine.run([&](Process& process) {
        File file = process.open("\\Device\\KeeperA").value();
        CHECK(file.close() == STATUS_SUCCESS);
        CHECK(file.handle() == nullptr);
        CHECK(file.close() == STATUS_INVALID_HANDLE);
        CHECK_THROWS_AS(which(file), std::logic_error);
        CHECK_THROWS_AS(file.start_write(bytes("x")), std::logic_error);
        file = process.open("\\Device\\KeeperB").value();
        CHECK(which(file) == "B");
    });
    CHECK(outcome.finished());
}

TEST_CASE("what was moved from is empty") {
    Host host;
    Machine machine = with_keeper(host);
    const Outcome outcome = machine.run([&](Process& process) {
        File file = process.open("\\Device\\KeeperA", {.overlapped = true}).value();
        File moved = std::move(file);
        CHECK(file.close() == STATUS_INVALID_HANDLE); // NOLINT(bugprone-use-after-move)
        CHECK_THROWS_AS(which(file), std::logic_error);
        CHECK(which(moved) == "A");
        Request request = moved.start_read(1);
        Request moved_request = std::move(request);
        CHECK_THROWS_AS(request.wait(), std::logic_error); // NOLINT(bugprone-use-after-move)
        CHECK_THROWS_AS(request.started(), std::logic_error);
        CHECK(moved_request.cancel() == STATUS_SUCCESS);
        CHECK(moved_request.wait().status == STATUS_CANCELLED);
        Thread thread = process.start_thread([] {});
        Thread moved_thread = std::move(thread);
        thread.join(); // NOLINT(bugprone-use-after-move)
        moved_thread.join();
        moved_thread.join();
    });
    CHECK(outcome.finished());
}

TEST_CASE("a run ends with the last thread of its process") {
    Host host;
    Machine machine = with_keeper(host);
    std::optional<Thread> thread;
    bool ended = false;
    const auto captured = std::make_shared<int>(0);
    const Outcome outcome = machine.run([&](Process& process) {
        thread = process.start_thread([&, captured] {
            File file = process.open("\\Device\\KeeperA").value();
            process.sleep(5s);
            ended = which(file) == "A";
        });
    });
    CHECK(outcome.finished());
    CHECK(ended);
    CHECK(machine.now() >= 5s);
    CHECK(captured.use_count() == 1); // what the thread's body held has gone with the run
    thread->join();
    CHECK(machine.run([&](Process&) { thread.reset(); }).finished());
}

TEST_CASE("an application that asks whether its request is done sees the stop as in every service") {
    Host host;
    Machine machine = with_keeper(host);
    const Outcome outcome = machine.run([&](Process& process) {
        File file = process.open("\\Device\\KeeperA", {.overlapped = true}).value();
        Request request = file.start_read(1);
        file.device_control(KEEPER_BUG_CHECK_LATER);
        while (!request.done()) {
        }
    });
    CHECK(outcome.is_bug_check(MANUALLY_INITIATED_CRASH));
}

TEST_CASE("a machine is not made inside of a run, which goes on") {
    Host host;
    Machine machine = with_keeper(host);
    const Outcome outcome = machine.run([&](Process& process) {
        File file = process.open("\\Device\\KeeperA").value();
        CHECK_THROWS_AS(Machine(host), std::logic_error);
        CHECK_THROWS_AS(Machine(), std::logic_error);
        CHECK(which(file) == "A");
    });
    CHECK(outcome.finished());
    CHECK_THROWS_AS(machine.run_in_kernel([&] { Machine inner(host); }), std::logic_error);
    CHECK(Machine(host).run([](Process&) {}).finished());
}

TEST_CASE("a machine that was moved from is an error of the program") {
    Host host;
    Machine machine = with_keeper(host);
    Machine moved = std::move(machine);
    CHECK_THROWS_AS(machine.run([](Process&) {}), std::logic_error); // NOLINT(bugprone-use-after-move)
    CHECK_THROWS_AS(machine.now(), std::logic_error);
    CHECK_THROWS_AS(machine.outcome(), std::logic_error);
    CHECK_THROWS_AS(machine.trace(), std::logic_error);
    machine = std::move(moved);
    CHECK(machine.run([](Process& process) { CHECK(process.open("\\Device\\KeeperA")); }).finished());
}
