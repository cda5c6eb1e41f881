#include <dirql/file.hpp>

#include "api/file_impl.hpp"
#include "api/process_impl.hpp"
#include "io/services.hpp"
#include "ke/system_service.hpp"
#include "mm/arena.hpp"
#include "ob/services.hpp"

#include <dirql/process.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace dirql {
namespace api {
namespace {

constexpr std::int64_t no_offset = -1;

} // namespace

UserBuffer::UserBuffer(const Owner& owner, std::size_t size, std::span<const std::byte> content)
    : owner_(owner), size_(size) {
    if (size == 0) return;
    (void)ke::system_service([&] {
        data_ = static_cast<std::byte*>(mm::allocate_user(owner.process(), size));
        return STATUS_SUCCESS;
    });
    if (data_ == nullptr) throw std::bad_alloc();
    std::copy_n(content.begin(), content.size(), data_);
    std::memset(data_ + content.size(), 0, size - content.size());
}

UserBuffer::UserBuffer(UserBuffer&& other) noexcept
    : owner_(other.owner_), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

UserBuffer& UserBuffer::operator=(UserBuffer&& other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

// After the run the arena is gone, and the buffer with it.
UserBuffer::~UserBuffer() {
    if (data_ == nullptr || !owner_.runs_now()) return;
    (void)ke::system_service<ke::OnStop::status>([&] {
        mm::free_user(owner_.process(), data_);
        return STATUS_SUCCESS;
    });
}

namespace {

void NTAPI tell_end(PVOID context, PIO_STATUS_BLOCK, ULONG) {
    auto* node = static_cast<ApcNode*>(context);
    if (node->request == nullptr) return; // the arena's end frees the node
    node->delivered = true;
    node->request->on_end(node->request->result());
}

} // namespace

PIO_APC_ROUTINE RequestState::apc_routine() const noexcept { return apc == nullptr ? nullptr : tell_end; }

void* RequestState::apc_context() const noexcept {
    return apc != nullptr ? apc : reinterpret_cast<void*>(static_cast<std::uintptr_t>(context));
}

RequestState::~RequestState() {
    if (apc == nullptr || !owner().runs_now()) return;
    apc->request = nullptr;
    if (!apc->delivered) return;
    (void)ke::system_service<ke::OnStop::status>([&] {
        mm::free_user(owner().process(), apc);
        return STATUS_SUCCESS;
    });
}

// A service that failed at once leaves the status block alone.
IoResult RequestState::result() const {
    const bool from_block = started == STATUS_PENDING || NT_SUCCESS(started) || NT_WARNING(started);
    IoResult result{from_block ? iosb()->Status : started, from_block ? iosb()->Information : 0, {}};
    if (!brings_data || NT_ERROR(result.status)) return result;
    const std::size_t count = std::min<std::size_t>(result.information, out.size());
    result.data.assign(out.data(), out.data() + count);
    return result;
}

} // namespace api

Bytes bytes(std::string_view text) {
    const auto* first = reinterpret_cast<const std::byte*>(text.data());
    return {first, first + text.size()};
}

Bytes bytes(std::initializer_list<unsigned> values) {
    Bytes result;
    for (const unsigned value : values) result.push_back(static_cast<std::byte>(value));
    return result;
}

Request::Request(std::unique_ptr<api::RequestState> state) : state_(std::move(state)) {}
Request::Request(Request&&) noexcept = default;
Request& Request::operator=(Request&& other) noexcept {
    if (this != &other) {
        const Request ended(std::move(*this)); // waits, as its destructor does
        state_ = std::move(other.state_);
    }
    return *this;
}

namespace {

HANDLE create_event() {
    HANDLE event = nullptr;
    const NTSTATUS status = NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
    if (!NT_SUCCESS(status)) throw std::bad_alloc();
    return event;
}

std::unique_ptr<api::RequestState> new_request(const api::FileState& file, RequestOptions&& options) {
    auto request = std::make_unique<api::RequestState>();
    request->file = file;
    request->context = options.context;
    request->on_end = std::move(options.on_end);
    if (request->on_end) {
        (void)ke::system_service([&] {
            request->apc = static_cast<api::ApcNode*>(mm::allocate_user(file.process.process(), sizeof(api::ApcNode)));
            return STATUS_SUCCESS;
        });
        if (request->apc == nullptr) throw std::bad_alloc();
        *request->apc = {request.get(), false};
    }
    request->status_block = api::UserBuffer(file.process, sizeof(IO_STATUS_BLOCK));
    if (file.overlapped) request->event = create_event();
    return request;
}

bool under_way(const api::RequestState& request) {
    if (request.started != STATUS_PENDING || request.event == nullptr) return false;
    LARGE_INTEGER now{};
    return NtWaitForSingleObject(request.event, FALSE, &now) != STATUS_SUCCESS;
}

// The end of a request: its event for an overlapped file; a synchronous file's service has waited.
void wait_for_end(const api::RequestState& request) {
    if (request.started == STATUS_PENDING && request.event != nullptr)
        NtWaitForSingleObject(request.event, FALSE, nullptr);
}

// Where to read or write. An overlapped file has no position of its own.
class Place {
public:
    Place(const api::FileState& file, std::int64_t offset) noexcept
        : own_(offset == api::no_offset && !file.overlapped) {
        value_.QuadPart = offset == api::no_offset ? 0 : offset;
    }
    [[nodiscard]] LARGE_INTEGER* get() noexcept { return own_ ? nullptr : &value_; }

private:
    LARGE_INTEGER value_{};
    bool own_;
};

std::unique_ptr<api::RequestState> begin_read(const api::FileState& file, std::size_t length, std::int64_t offset,
                                              RequestOptions&& options = {}) {
    auto request = new_request(file, std::move(options));
    request->out = api::UserBuffer(file.process, length);
    request->brings_data = true;
    Place where(file, offset);
    request->started =
        NtReadFile(file.handle, request->event, request->apc_routine(), request->apc_context(), request->iosb(),
                   request->out.data(), static_cast<ULONG>(length), where.get(), nullptr);
    return request;
}

std::unique_ptr<api::RequestState> begin_write(const api::FileState& file, std::span<const std::byte> data,
                                               std::int64_t offset, RequestOptions&& options = {}) {
    auto request = new_request(file, std::move(options));
    request->in = api::UserBuffer(file.process, data.size(), data);
    Place where(file, offset);
    request->started =
        NtWriteFile(file.handle, request->event, request->apc_routine(), request->apc_context(), request->iosb(),
                    request->in.data(), static_cast<ULONG>(data.size()), where.get(), nullptr);
    return request;
}

std::unique_ptr<api::RequestState> begin_control(const api::FileState& file, std::uint32_t code,
                                                 std::span<const std::byte> in, std::size_t out_length,
                                                 std::span<const std::byte> out, RequestOptions&& options = {}) {
    auto request = new_request(file, std::move(options));
    request->in = api::UserBuffer(file.process, in.size(), in);
    request->out = api::UserBuffer(file.process, std::max(out_length, out.size()), out);
    request->brings_data = true;
    request->started =
        NtDeviceIoControlFile(file.handle, request->event, request->apc_routine(), request->apc_context(),
                              request->iosb(), code, request->in.data(), static_cast<ULONG>(in.size()),
                              request->out.data(), static_cast<ULONG>(request->out.size()));
    return request;
}

} // namespace

// A request that nobody waited for is cancelled and waited for here: its buffers must outlive it.
Request::~Request() {
    if (state_ == nullptr || !state_->owner().runs_now()) return;
    (void)ke::system_service<ke::OnStop::status>([&] {
        if (under_way(*state_)) {
            IO_STATUS_BLOCK of_cancel;
            const ke::KernelModeCaller kernel; // the block is not the application's
            (void)NtCancelIoFileEx(state_->file.handle, state_->iosb(), &of_cancel);
        }
        wait_for_end(*state_);
        if (state_->event != nullptr) NtClose(state_->event);
        return STATUS_SUCCESS;
    });
}

IoResult Request::wait() {
    const api::RequestState& state = usable(state_, "Request");
    wait_for_end(state);
    return state.result();
}

bool Request::done() const { return !under_way(usable(state_, "Request")); }

Status Request::cancel() {
    const api::RequestState& state = usable(state_, "Request");
    const api::UserBuffer result(state.owner(), sizeof(IO_STATUS_BLOCK));
    return NtCancelIoFileEx(state.file.handle, state.iosb(), reinterpret_cast<IO_STATUS_BLOCK*>(result.data()));
}

Status Request::started() const { return usable(state_, "Request").started; }

File::File(std::unique_ptr<api::FileState> state) : state_(std::move(state)) {}
File::File(File&&) noexcept = default;
File& File::operator=(File&& other) noexcept {
    if (this != &other) {
        close();
        state_ = std::move(other.state_);
    }
    return *this;
}
File::~File() { close(); }

Status File::close() {
    const auto state = std::move(state_);
    if (state == nullptr || !state->owner().runs_now()) return STATUS_INVALID_HANDLE;
    return ke::system_service<ke::OnStop::status>([&] { return NtClose(state->handle); });
}

void* File::handle() const noexcept { return state_ == nullptr ? nullptr : state_->handle; }

IoResult File::read(std::size_t length, std::int64_t offset) {
    return Request(begin_read(usable(state_, "File"), length, offset)).wait();
}

IoResult File::write(std::span<const std::byte> data, std::int64_t offset) {
    return Request(begin_write(usable(state_, "File"), data, offset)).wait();
}

IoResult File::device_control(std::uint32_t code, std::span<const std::byte> in, std::size_t out_length,
                              std::span<const std::byte> out) {
    return Request(begin_control(usable(state_, "File"), code, in, out_length, out)).wait();
}

Request File::start_read(std::size_t length, std::int64_t offset, RequestOptions options) {
    return Request(begin_read(usable(state_, "File"), length, offset, std::move(options)));
}
Request File::start_write(std::span<const std::byte> data, std::int64_t offset, RequestOptions options) {
    return Request(begin_write(usable(state_, "File"), data, offset, std::move(options)));
}
Request File::start_device_control(std::uint32_t code, std::span<const std::byte> in, std::size_t out_length,
                                   RequestOptions options) {
    return Request(begin_control(usable(state_, "File"), code, in, out_length, {}, std::move(options)));
}

} // namespace dirql
