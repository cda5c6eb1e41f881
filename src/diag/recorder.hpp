// Keeps a machine's events, and gives what they speak of names that do not depend on addresses: irp#3, \Device\Echo,
// \Driver\echo device#1, echo.so+0x1240.
#pragma once

#include "diag/event.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace dirql::diag {

// Where the kernel's own routines are: their offsets depend on how it was compiled, and are not told.
inline constexpr std::string_view kernel_image = "nt";

// An event whose pointers have become names. The views live as long as the recorder.
struct Record {
    EventKind kind{};
    Moment moment;
    std::uint32_t irp = 0; // its number; 0: none
    std::uint32_t call =
        0; // the same in the two records that begin and end a call; 0: neither, or its begin is unknown
    std::uint8_t major = 0;
    std::uint8_t minor = 0;
    std::uint32_t code = 0;
    NTSTATUS status = 0;
    std::uint64_t value = 0;
    std::string_view object = {}; // its name
    std::string_view driver = {}; // of the device that `object` is
    std::string_view thread_name;
    std::string_view image = {}; // of the routine
    std::uint64_t offset = 0;    // of the routine in its image
    std::string text = {};
    std::string_view function = {}; // the routine's name, once it has been looked up and where the image tells it
};

// Newest last.
struct Records : std::deque<Record> {
    std::uint64_t dropped = 0; // earlier ones, which had to make room
};

// What the recording door finds out about an event, beyond its fields.
struct Origin {
    Moment moment;
    std::string_view thread_name;
    std::string_view object_name = {}; // empty: the recorder gives one
    std::string_view image = {};       // where `routine` is
    std::uint64_t offset = 0;
    bool object_on_stack = false; // its address says nothing: it depends on how the kernel was compiled
};

class Recorder {
public:
    // Keeps the newest `capacity` events.
    explicit Recorder(std::size_t capacity = std::size_t{1} << 20) : capacity_(capacity) {}
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    void record(const Event& event, const Origin& origin);
    [[nodiscard]] const Records& records() const noexcept { return records_; }
    [[nodiscard]] std::uint64_t dropped() const noexcept { return records_.dropped; }
    // Forgets the events; names and numbers go on.
    void clear() noexcept;

    // Gives the routines of the records since the last time their names. Function names come from images' symbols, which
    // takes long and much stack, so no door asks for them: the host does, before an image goes and before records are read.
    // `name_of(image, offset)` is called once for each routine; empty when it is not known.
    using NameOfFunction = std::function<std::string(std::string_view image, std::uint64_t offset)>;
    void name_functions(const NameOfFunction& name_of);

    // What the recorder calls an IRP or an object that is alive; empty or 0 when it has not heard of it.
    [[nodiscard]] std::uint32_t irp_number(const void* irp) const noexcept;
    [[nodiscard]] std::string_view object_name(const void* object) const noexcept;

private:
    struct Object {
        std::uint64_t size;
        std::string_view name;
        std::string_view driver;
    };
    struct OpenCall {
        Event event; // that began it
        std::uint32_t call;
        std::uint32_t irp;
        std::string_view object;
        std::string_view driver;
    };
    struct Name {
        std::string_view name;
        std::string_view driver;
    };
    using Objects = std::map<std::uintptr_t, Object>;

    [[nodiscard]] std::string_view keep(std::string_view text);
    [[nodiscard]] std::uint32_t number_irp(const Event& event, Record& record);
    [[nodiscard]] Name name_object(const Event& event, const Origin& origin);
    [[nodiscard]] std::string_view number_object(const Event& event);
    [[nodiscard]] std::string_view next_device_name(std::string_view driver);
    void begin_object(const Event& event);
    void end_object(const Event& event);
    [[nodiscard]] Objects::const_iterator object_at(const void* address) const noexcept;
    void begin_call(const Event& event, Record& record);
    void end_call(const Event& event, Record& record);
    void append(Record record);

    std::size_t capacity_;
    std::size_t with_functions_ = 0; // the first records, whose functions have been looked up
    Records records_;
    std::unordered_set<std::string> kept_;
    std::unordered_map<const void*, std::uint32_t> irps_;
    Objects objects_;                                               // named, by address
    std::unordered_map<const void*, std::string_view> numbered_;    // without a name of their own
    std::map<std::string, std::uint32_t, std::less<>> last_number_; // of each sort of object
    std::unordered_map<std::uint64_t, std::vector<OpenCall>> open_; // by thread, innermost last
    std::uint32_t last_irp_ = 0;
    std::uint32_t last_call_ = 0;
};

} // namespace dirql::diag
