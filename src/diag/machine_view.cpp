#include "diag/machine_view.hpp"

#include "diag/unicode.hpp"
#include "ke/address_space.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace dirql::diag {
namespace {

constexpr std::size_t most_threads = 4096;
constexpr std::size_t most_processes = 1024;
constexpr std::size_t most_devices = 256; // of one driver
constexpr std::size_t longest_name = 260; // characters

template <class T> std::uint64_t number(T* pointer) noexcept { return reinterpret_cast<std::uint64_t>(pointer); }

bool inside_half(std::uint64_t address, std::uint64_t base, std::size_t bytes) noexcept {
    constexpr std::uint64_t size = ke::slot_size * ke::max_slots;
    return address >= base && address - base < size && size - (address - base) >= bytes;
}

std::string_view last_part(std::string_view path) noexcept { return path.substr(path.rfind('/') + 1); }

} // namespace

std::string field_text(const char* field, std::size_t size) { return one_line({field, strnlen(field, size)}); }

MachineView::MachineView(const ke::Machine& machine, Symbolizer& symbolizer)
    : machine_(machine), symbolizer_(symbolizer) {
    copy_images();
    copy_processors();
    copy_threads();
    copy_idle_threads();
}

bool MachineView::plausible(std::uint64_t address, std::size_t bytes) noexcept {
    if ((address & 7) != 0) return false;
    return inside_half(address, ke::halves().system, bytes) || inside_half(address, ke::halves().user, bytes);
}

void MachineView::copy_images() {
    const unsigned count = std::min(machine_.image_count, ke::Machine::max_images);
    for (unsigned i = 0; i < count; ++i) {
        const ke::CodeRange& range = machine_.images[i];
        images_.push_back({range.begin, range.end, memory_.text(range.name, longest_name)});
    }
}

void MachineView::copy_processors() {
    const unsigned count = std::min(machine_.processor_count, ke::max_processors);
    for (unsigned i = 0; i < count; ++i) {
        const std::uint64_t address = number(machine_.processors[i]);
        if (const auto processor = object<ke::Processor>(address)) processors_.push_back({address, *processor});
    }
}

void MachineView::copy_threads() {
    const std::uint64_t head = number(&machine_.processes);
    std::uint64_t entry = number(machine_.processes.Flink);
    for (std::size_t i = 0; entry != head && i < most_processes; ++i) {
        const auto link = object<LIST_ENTRY>(entry);
        if (!link) return;
        copy_threads_of(entry - offsetof(ke::Process, all_entry));
        entry = number(link->Flink);
    }
}

void MachineView::copy_threads_of(std::uint64_t address) {
    const auto process = object<ke::Process>(address);
    if (!process) return;
    const std::uint64_t head = address + offsetof(ke::Process, threads);
    std::uint64_t entry = number(process->threads.Flink);
    while (entry != head && threads_.size() < most_threads) {
        const std::uint64_t where = entry - offsetof(ke::Thread, process_entry);
        const auto thread = object<ke::Thread>(where);
        if (!thread || thread_at(where) != nullptr) return; // a list that runs in a circle
        threads_.push_back({where, *thread, process->id, field_text(process->name, sizeof process->name)});
        entry = number(thread->process_entry.Flink);
    }
}

// They need not be among their process's threads.
void MachineView::copy_idle_threads() {
    for (const ProcessorCopy& processor : processors_) {
        const std::uint64_t where = number(processor.processor.idle_thread);
        const auto thread = object<ke::Thread>(where);
        if (!thread || thread_at(where) != nullptr) continue;
        const auto process = object<ke::Process>(number(thread->process));
        threads_.push_back({where, *thread, process ? process->id : 0,
                            process ? field_text(process->name, sizeof process->name) : ""});
    }
}

const ThreadCopy* MachineView::thread_at(std::uint64_t address) const noexcept {
    const auto found = std::ranges::find(threads_, address, &ThreadCopy::address);
    return found == threads_.end() ? nullptr : &*found;
}

const ProcessorCopy* MachineView::processor_at(std::uint64_t address) const noexcept {
    const auto found = std::ranges::find(processors_, address, &ProcessorCopy::address);
    return found == processors_.end() ? nullptr : &*found;
}

const Image* MachineView::image_at(std::uint64_t address) const noexcept {
    const auto found = std::ranges::find_if(
        images_, [&](const Image& image) { return address - image.begin < image.end - image.begin; });
    return found == images_.end() ? nullptr : &*found;
}

const Image* MachineView::image_named(std::string_view name) const noexcept {
    const auto found = std::ranges::find(images_, name, &Image::name);
    return found == images_.end() ? nullptr : &*found;
}

const Image* MachineView::image_of_device(std::uint64_t address) const noexcept {
    const auto device = object<DEVICE_OBJECT>(address);
    const auto driver = device ? object<DRIVER_OBJECT>(number(device->DriverObject)) : std::nullopt;
    return driver ? image_at(reinterpret_cast<std::uint64_t>(driver->DriverInit)) : nullptr;
}

bool MachineView::is_idle(const ThreadCopy& thread) const noexcept {
    return std::ranges::any_of(
        processors_, [&](const ProcessorCopy& each) { return number(each.processor.idle_thread) == thread.address; });
}

std::string MachineView::thread_text(std::uint64_t address) const {
    const std::string label = thread_label(address);
    return label.empty() ? "a thread that is gone" : "thread " + label;
}

std::string MachineView::thread_label(std::uint64_t address) const {
    const ThreadCopy* copy = thread_at(address);
    if (copy == nullptr) return {};
    return fmt::format("{} \"{}\" of process {} \"{}\"", copy->thread.id,
                       field_text(copy->thread.name, sizeof copy->thread.name), copy->process_id, copy->process_name);
}

std::string MachineView::string_text(const UNICODE_STRING& string) const {
    std::u16string text(std::min<std::size_t>(string.Length / sizeof(char16_t), longest_name), u'\0');
    if (!memory_.copy(text.data(), number(string.Buffer), text.size() * sizeof(char16_t))) return {};
    return one_line(to_utf8(text));
}

std::string MachineView::driver_text(std::uint64_t address) const {
    const auto driver = object<DRIVER_OBJECT>(address);
    if (!driver || driver->Type != IO_TYPE_DRIVER) return "no driver object";
    const std::string name = string_text(driver->DriverName);
    return name.empty() ? "a driver without a name" : name;
}

std::string MachineView::driver_of_device(std::uint64_t address) const {
    const auto device = object<DEVICE_OBJECT>(address);
    if (!device || device->Type != IO_TYPE_DEVICE) return "no driver";
    return driver_text(number(device->DriverObject));
}

std::string MachineView::device_text(std::uint64_t address) const {
    const auto device = object<DEVICE_OBJECT>(address);
    if (!device || device->Type != IO_TYPE_DEVICE) return fmt::format("0x{:X}, which is no device object", address);
    if (const std::string name = symbolizer_.device_name(address); !name.empty()) return one_line(name);
    unsigned place = 1; // the list begins with the newest
    std::uint64_t next = number(device->NextDevice);
    for (; place < most_devices && next != 0; ++place) {
        const auto older = object<DEVICE_OBJECT>(next);
        if (!older) break;
        next = number(older->NextDevice);
    }
    return fmt::format("{} device#{}", driver_text(number(device->DriverObject)), place);
}

std::string MachineView::device_and_driver(std::uint64_t device) const {
    const std::string name = device_text(device);
    const std::string driver = driver_of_device(device);
    return name.starts_with(driver) ? name : fmt::format("{} of {}", name, driver);
}

std::string MachineView::code_text(std::uint64_t address, bool returned_to) const {
    const Image* image = image_at(address);
    CodeName name = symbolizer_.locate(address, returned_to);
    if (name.image.empty()) {
        name.image = image != nullptr ? image->name : "?";
        name.offset = image != nullptr ? address - image->begin : 0;
    }
    std::string text = fmt::format("{}+0x{:X}", one_line(name.image), name.offset);
    if (!name.function.empty()) text += ' ' + one_line(name.function);
    if (name.line != 0) text += fmt::format(" ({}:{})", one_line(last_part(name.file)), name.line);
    return text;
}

} // namespace dirql::diag
