// A machine's events written by hand: what the doors would record, without a machine.
#pragma once

#include "diag/journey.hpp"
#include "diag/recorder.hpp"
#include "diag/text.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace script {

using namespace dirql::diag;

// Stands for an address; only its identity counts.
inline const void* at(std::uint64_t number) {
    return reinterpret_cast<const void*>(0x7EC0'0000'0000 + number * 0x1000);
}

class Machine {
public:
    Recorder recorder;

    // The flow that the following events happen in. Each takes 50 ns.
    Machine& on(std::uint64_t thread, std::string_view name, KIRQL irql = PASSIVE_LEVEL) {
        moment_.thread = thread;
        name_ = name;
        moment_.irql = irql;
        moment_.in_dpc = false;
        return *this;
    }
    Machine& irql(KIRQL level) {
        moment_.irql = level;
        return *this;
    }
    Machine& dpc(bool on) {
        moment_.in_dpc = on;
        return *this;
    }
    Machine& processor(std::uint8_t number) {
        moment_.processor = number;
        return *this;
    }
    Machine& later(std::uint64_t ns) {
        moment_.time += ns;
        return *this;
    }
    // Where `routine` of the next event is.
    Machine& in(std::string_view image, std::uint64_t offset) {
        image_ = image;
        offset_ = offset;
        return *this;
    }
    Machine& on_stack() {
        on_stack_ = true;
        return *this;
    }
    Machine& operator()(const Event& event) {
        moment_.time += 50;
        recorder.record(event, {.moment = moment_,
                                .thread_name = name_,
                                .image = image_,
                                .offset = offset_,
                                .object_on_stack = on_stack_});
        image_ = {};
        offset_ = 0;
        on_stack_ = false;
        return *this;
    }

    // A driver and a device of it.
    Machine& driver(std::uint64_t object, std::string_view name) {
        return (*this)({.kind = EventKind::object_named, .object = at(object), .value = 0x150, .text = name});
    }
    Machine& device(std::uint64_t object, std::uint64_t driver, std::string_view name) {
        return (*this)(
            {.kind = EventKind::object_named, .object = at(object), .other = at(driver), .value = 0x200, .text = name});
    }

    [[nodiscard]] std::string text() const { return to_text(recorder.records()); }

private:
    Moment moment_;
    std::string_view name_ = "app";
    std::string_view image_;
    std::uint64_t offset_ = 0;
    bool on_stack_ = false;
};

} // namespace script
