// A stopped machine as reports read it: copies of what it holds, checked and bounded. A driver may have written
// anywhere.
#pragma once

#include "diag/guarded_memory.hpp"
#include "diag/symbolizer.hpp"
#include "ke/machine.hpp"

#include <ntifs.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dirql::diag {

struct ThreadCopy {
    std::uint64_t address;
    ke::Thread thread;
    std::uint64_t process_id;
    std::string process_name;
};

struct ProcessorCopy {
    std::uint64_t address;
    ke::Processor processor;
};

struct Image {
    std::uint64_t begin;
    std::uint64_t end;
    std::string name;
};

class MachineView {
public:
    MachineView(const ke::Machine& machine, Symbolizer& symbolizer);

    [[nodiscard]] const ke::Machine& machine() const noexcept { return machine_; }
    [[nodiscard]] const GuardedMemory& memory() const noexcept { return memory_; }
    [[nodiscard]] Symbolizer& symbolizer() const noexcept { return symbolizer_; }
    // In the order of their creation, idle threads among them.
    [[nodiscard]] const std::vector<ThreadCopy>& threads() const noexcept { return threads_; }
    [[nodiscard]] const std::vector<ProcessorCopy>& processors() const noexcept { return processors_; }

    [[nodiscard]] const ThreadCopy* thread_at(std::uint64_t address) const noexcept;
    [[nodiscard]] const ProcessorCopy* processor_at(std::uint64_t address) const noexcept;
    [[nodiscard]] const Image* image_at(std::uint64_t address) const noexcept;
    [[nodiscard]] const Image* image_named(std::string_view name) const noexcept;
    // That of its driver's DriverEntry.
    [[nodiscard]] const Image* image_of_device(std::uint64_t device) const noexcept;
    [[nodiscard]] bool is_idle(const ThreadCopy& thread) const noexcept;

    // Reads an object of the machine: null, misaligned and addresses outside of the machines' halves give nothing.
    template <class T> [[nodiscard]] std::optional<T> object(std::uint64_t address) const noexcept {
        return plausible(address, sizeof(T)) ? memory_.read<T>(address) : std::nullopt;
    }

    // `thread 24 "app" of process 20 "app"`; for an address that is no thread's, `a thread that is gone`.
    [[nodiscard]] std::string thread_text(std::uint64_t address) const;
    // `24 "app" of process 20 "app"`, or nothing.
    [[nodiscard]] std::string thread_label(std::uint64_t address) const;
    // A counted string, at most 260 characters.
    [[nodiscard]] std::string string_text(const UNICODE_STRING& string) const;
    // \Driver\echo, of a DRIVER_OBJECT.
    [[nodiscard]] std::string driver_text(std::uint64_t driver) const;
    // \Driver\echo, of a DEVICE_OBJECT.
    [[nodiscard]] std::string driver_of_device(std::uint64_t device) const;
    // \Device\Echo; a device without a name is \Driver\echo device#2, its driver's second.
    [[nodiscard]] std::string device_text(std::uint64_t device) const;
    // `\Device\Echo of \Driver\echo`; the driver is not told twice.
    [[nodiscard]] std::string device_and_driver(std::uint64_t device) const;
    // `echo.so+0x1240 EchoRead (echo.c:42)`, as much of it as is known.
    [[nodiscard]] std::string code_text(std::uint64_t address, bool returned_to) const;

private:
    [[nodiscard]] static bool plausible(std::uint64_t address, std::size_t bytes) noexcept;
    void copy_images();
    void copy_processors();
    void copy_threads();
    void copy_threads_of(std::uint64_t process);
    void copy_idle_threads();

    const ke::Machine& machine_;
    Symbolizer& symbolizer_;
    GuardedMemory memory_;
    std::vector<Image> images_;
    std::vector<ProcessorCopy> processors_;
    std::vector<ThreadCopy> threads_;
};

// A name in a field of fixed size.
[[nodiscard]] std::string field_text(const char* field, std::size_t size);

} // namespace dirql::diag
