// What of a File is no transfer: information, position, flushing, cancelling. And completion ports.
#include "api/file_impl.hpp"
#include "api/machine_impl.hpp"
#include "api/process_impl.hpp"
#include "io/services.hpp"
#include "ke/system_service.hpp"

#include <dirql/process.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace dirql {
namespace {

void* as_pointer(std::uint64_t value) noexcept { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(value)); }
std::uint64_t as_number(const void* pointer) noexcept { return reinterpret_cast<std::uintptr_t>(pointer); }

} // namespace

IoResult File::query_information(std::uint32_t information_class, std::size_t length) {
    const api::FileState& file = usable(state_, "File");
    const api::UserBuffer buffer(file.process, length);
    IO_STATUS_BLOCK block{};
    IoResult result;
    result.status = NtQueryInformationFile(file.handle, &block, buffer.data(), static_cast<ULONG>(length),
                                           static_cast<FILE_INFORMATION_CLASS>(information_class));
    if (NT_ERROR(result.status)) return result;
    result.information = block.Information;
    result.data.assign(buffer.data(), buffer.data() + std::min<std::size_t>(block.Information, length));
    return result;
}

Status File::set_information(std::uint32_t information_class, std::span<const std::byte> data) {
    const api::FileState& file = usable(state_, "File");
    const api::UserBuffer buffer(file.process, data.size(), data);
    IO_STATUS_BLOCK block{};
    return NtSetInformationFile(file.handle, &block, buffer.data(), static_cast<ULONG>(data.size()),
                                static_cast<FILE_INFORMATION_CLASS>(information_class));
}

std::int64_t File::position() {
    const IoResult result = query_information(FilePositionInformation, sizeof(FILE_POSITION_INFORMATION));
    std::int64_t position = -1;
    if (result.data.size() == sizeof position) std::memcpy(&position, result.data.data(), sizeof position);
    return position;
}

Status File::set_position(std::int64_t position) {
    return set_information(FilePositionInformation, std::as_bytes(std::span(&position, 1)));
}

Status File::flush() {
    IO_STATUS_BLOCK block{};
    return NtFlushBuffersFile(usable(state_, "File").handle, &block);
}

Status File::cancel() {
    IO_STATUS_BLOCK block{};
    return NtCancelIoFile(usable(state_, "File").handle, &block);
}

Status File::set_port(const CompletionPort& port, std::uint64_t key) {
    const FILE_COMPLETION_INFORMATION information{usable(port.state_, "CompletionPort").handle, as_pointer(key)};
    return set_information(FileCompletionInformation, std::as_bytes(std::span(&information, 1)));
}

CompletionPort::CompletionPort(std::unique_ptr<api::PortState> state) : state_(std::move(state)) {}
CompletionPort::CompletionPort(CompletionPort&&) noexcept = default;
CompletionPort& CompletionPort::operator=(CompletionPort&& other) noexcept {
    if (this != &other) {
        close();
        state_ = std::move(other.state_);
    }
    return *this;
}
CompletionPort::~CompletionPort() { close(); }

Status CompletionPort::close() {
    const auto state = std::move(state_);
    if (state == nullptr || !state->owner().runs_now()) return STATUS_INVALID_HANDLE;
    return ke::system_service<ke::OnStop::status>([&] { return NtClose(state->handle); });
}

void* CompletionPort::handle() const noexcept { return state_ == nullptr ? nullptr : state_->handle; }

namespace {

std::optional<PortPacket> take_from(HANDLE port, PLARGE_INTEGER timeout) {
    PVOID key = nullptr;
    PVOID context = nullptr;
    IO_STATUS_BLOCK block{};
    const NTSTATUS status = NtRemoveIoCompletion(port, &key, &context, &block, timeout);
    if (status != STATUS_SUCCESS) return std::nullopt;
    return PortPacket{as_number(key), as_number(context), block.Status, block.Information};
}

} // namespace

std::optional<PortPacket> CompletionPort::take() { return take_from(usable(state_, "CompletionPort").handle, nullptr); }

std::optional<PortPacket> CompletionPort::take(std::chrono::nanoseconds at_most) {
    LARGE_INTEGER timeout = api::relative_interval(at_most);
    return take_from(usable(state_, "CompletionPort").handle, &timeout);
}

Status CompletionPort::post(const PortPacket& packet) {
    return NtSetIoCompletion(usable(state_, "CompletionPort").handle, as_pointer(packet.key),
                             as_pointer(packet.context), packet.status, packet.information);
}

std::size_t CompletionPort::size() const {
    LONG depth = 0;
    (void)NtQueryIoCompletion(usable(state_, "CompletionPort").handle, 0, &depth, sizeof depth, nullptr);
    return static_cast<std::size_t>(depth);
}

CompletionPort Process::create_port(unsigned threads) {
    HANDLE handle = nullptr;
    if (!NT_SUCCESS(NtCreateIoCompletion(&handle, IO_COMPLETION_ALL_ACCESS, nullptr, threads))) throw std::bad_alloc();
    return CompletionPort(std::make_unique<api::PortState>(api::PortState{impl_.owner(), handle}));
}

bool Process::sleep_alertably(std::chrono::nanoseconds duration) {
    const NTSTATUS status = ke::system_service([&] {
        LARGE_INTEGER interval = api::relative_interval(duration);
        return KeDelayExecutionThread(UserMode, TRUE, &interval);
    });
    return status == STATUS_USER_APC;
}

} // namespace dirql
