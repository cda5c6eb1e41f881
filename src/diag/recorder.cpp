#include "diag/recorder.hpp"

#include "diag/event_kinds.hpp"
#include "diag/unicode.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace dirql::diag {
namespace {

std::uintptr_t number_of(const void* address) noexcept { return reinterpret_cast<std::uintptr_t>(address); }

// What objects without a name are numbered under.
std::string_view sort_of(const Event& event) noexcept {
    // By DISPATCHER_HEADER::Type.
    constexpr std::array<std::string_view, 10> awaited = {"event",     "event",  "mutex", "process", "queue",
                                                          "semaphore", "thread", "gate",  "timer",   "timer"};
    switch (event.kind) {
    case EventKind::wait_begin:
    case EventKind::wait_end: return event.major < awaited.size() ? awaited[event.major] : "object";
    case EventKind::dpc_queued: return "dpc";
    case EventKind::timer_expired: return "timer";
    case EventKind::driver_loaded:
    case EventKind::driver_unloaded: return "driver";
    case EventKind::pool_allocated:
    case EventKind::pool_freed: return "pool";
    case EventKind::apc_delivered: return "apc";
    default: return "device";
    }
}

// Does this record end that call? Its IRP and device may be gone by now: they are only compared.
bool ends(const Event& end, const Event& begin) noexcept {
    if (beginning_of(end.kind) != begin.kind) return false;
    if (end.kind == EventKind::irp_return && end.irp != begin.irp) return false;
    if (end.kind == EventKind::callout_exit && end.routine != begin.routine) return false;
    return end.object == begin.object;
}

} // namespace

std::string_view Recorder::keep(std::string_view text) {
    return text.empty() ? std::string_view{} : std::string_view(*kept_.emplace(text).first);
}

// A new number for each life of an IRP, though its memory is used again.
std::uint32_t Recorder::number_irp(const Event& event, Record& record) {
    if (event.irp == nullptr) return 0;
    auto [entry, fresh] = irps_.try_emplace(event.irp, 0);
    if (event.kind == EventKind::irp_reused) record.value = entry->second;
    if (fresh || begins_life(event.kind)) entry->second = ++last_irp_;
    const std::uint32_t number = entry->second;
    if (event.kind == EventKind::irp_freed) irps_.erase(entry);
    return number;
}

Recorder::Objects::const_iterator Recorder::object_at(const void* address) const noexcept {
    const std::uintptr_t wanted = number_of(address);
    auto after = objects_.upper_bound(wanted);
    if (after == objects_.begin()) return objects_.end();
    const auto object = std::prev(after);
    return wanted - object->first < std::max<std::uint64_t>(object->second.size, 1) ? object : objects_.end();
}

std::string_view Recorder::number_object(const Event& event) {
    const std::string_view sort = sort_of(event);
    auto [entry, fresh] = numbered_.try_emplace(event.object);
    if (fresh || !entry->second.starts_with(sort)) {
        entry->second = keep(fmt::format("{}#{}", sort, ++last_number_[std::string(sort)]));
    }
    return entry->second;
}

// An object inside a named one, as an event in a device's extension, is named by its place there.
Recorder::Name Recorder::name_object(const Event& event, const Origin& origin) {
    if (event.object == nullptr) return {};
    if (!origin.object_name.empty()) return {keep(origin.object_name), {}};
    if (const auto object = object_at(event.object); object != objects_.end()) {
        const std::uintptr_t offset = number_of(event.object) - object->first;
        if (offset == 0) return {object->second.name, object->second.driver};
        return {keep(fmt::format("{}+0x{:x}", object->second.name, offset)), object->second.driver};
    }
    if (origin.object_on_stack) return {keep(sort_of(event)), {}};
    return {number_object(event), {}};
}

std::string_view Recorder::next_device_name(std::string_view driver) {
    const std::string sort = driver.empty() ? "device" : fmt::format("{} device", driver);
    return keep(fmt::format("{}#{}", sort, ++last_number_[sort]));
}

// What stood in this memory before is gone.
void Recorder::begin_object(const Event& event) {
    end_object(event);
    const std::string_view driver = object_name(event.other);
    const std::string given = event.name != nullptr ? to_utf8(*event.name) : std::string(event.text);
    const std::string_view name = given.empty() ? next_device_name(driver) : keep(given);
    objects_.insert_or_assign(number_of(event.object), Object{event.value, name, driver});
}

void Recorder::end_object(const Event& event) {
    const std::uintptr_t begin = number_of(event.object);
    if (const auto around = object_at(event.object); around != objects_.end()) objects_.erase(around);
    objects_.erase(objects_.lower_bound(begin), objects_.lower_bound(begin + std::max<std::uint64_t>(event.value, 1)));
}

void Recorder::begin_call(const Event& event, Record& record) {
    record.call = ++last_call_;
    open_[record.moment.thread].push_back({event, record.call, record.irp, record.object, record.driver});
}

// Calls that an exception has skipped end with the one around them.
void Recorder::end_call(const Event& event, Record& record) {
    auto& open = open_[record.moment.thread];
    for (std::size_t i = open.size(); i-- != 0;) {
        if (!ends(event, open[i].event)) continue;
        record.call = open[i].call;
        record.irp = open[i].irp;
        record.object = open[i].object;
        record.driver = open[i].driver;
        open.resize(i);
        return;
    }
}

void Recorder::append(Record record) {
    if (records_.size() >= capacity_) {
        ++records_.dropped;
        with_functions_ -= std::min<std::size_t>(with_functions_, 1);
        records_.pop_front();
    }
    records_.push_back(std::move(record));
}

void Recorder::record(const Event& event, const Origin& origin) {
    Record record{.kind = event.kind,
                  .moment = origin.moment,
                  .major = event.major,
                  .minor = event.minor,
                  .code = event.code,
                  .status = event.status,
                  .value = event.value,
                  .thread_name = keep(origin.thread_name),
                  .image = keep(origin.image),
                  .offset = origin.offset,
                  .text = std::string(event.text)};
    if (ends_call(event.kind)) {
        end_call(event, record);
    } else {
        if (event.kind == EventKind::object_named) begin_object(event);
        record.irp = number_irp(event, record);
        const Name name = name_object(event, origin);
        record.object = name.name;
        record.driver = name.driver;
    }
    if (begins_call(event.kind)) begin_call(event, record);
    if (event.kind == EventKind::object_deleted) end_object(event);
    if (event.kind == EventKind::thread_end) open_.erase(record.moment.thread);
    append(std::move(record));
}

void Recorder::clear() noexcept {
    records_.clear();
    records_.dropped = 0;
    with_functions_ = 0;
}

void Recorder::name_functions(const NameOfFunction& name_of) {
    std::map<std::pair<std::string_view, std::uint64_t>, std::string_view> known;
    for (; with_functions_ < records_.size(); ++with_functions_) {
        Record& record = records_[with_functions_];
        if (record.image.empty() || record.image == kernel_image) continue;
        const auto [entry, fresh] = known.try_emplace({record.image, record.offset});
        if (fresh) entry->second = keep(name_of(record.image, record.offset));
        record.function = entry->second;
    }
}

std::uint32_t Recorder::irp_number(const void* irp) const noexcept {
    const auto entry = irps_.find(irp);
    return entry == irps_.end() ? 0 : entry->second;
}

std::string_view Recorder::object_name(const void* object) const noexcept {
    if (object == nullptr) return {};
    const auto entry = objects_.find(number_of(object));
    return entry == objects_.end() ? std::string_view{} : entry->second.name;
}

} // namespace dirql::diag
