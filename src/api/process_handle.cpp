// Other processes, as an application starts and opens them.
#include <dirql/process.hpp>

#include "api/owner.hpp"
#include "api/process_impl.hpp"
#include "ob/services.hpp"
#include "ps/services.hpp"

#include <fmt/format.h>

#include <utility>

namespace dirql {
namespace api {

struct HandleState {
    Owner belongs_to;
    HANDLE handle;

    [[nodiscard]] const Owner& owner() const noexcept { return belongs_to; }
};

} // namespace api

ChildProcess::ChildProcess(std::shared_ptr<api::ProcessImpl> impl) : impl_(std::move(impl)) {}
ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;
ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
    if (this != &other) {
        if (impl_ != nullptr) (void)wait();
        impl_ = std::move(other.impl_);
    }
    return *this;
}
ChildProcess::~ChildProcess() {
    if (impl_ != nullptr) (void)wait();
}

std::uint64_t ChildProcess::id() const {
    if (impl_ == nullptr) api::throw_unusable("a child process", true);
    return impl_->process().id;
}

// In a stopped machine, and after the run, there is nothing to wait for.
Status ChildProcess::wait() {
    if (impl_ == nullptr) api::throw_unusable("a child process", true);
    const std::shared_ptr<api::ProcessImpl> child = std::move(impl_);
    return child->in_run() ? child->wait() : STATUS_SYSTEM_SHUTDOWN;
}

Result<ChildProcess> Process::start_process(std::function<void(Process&)> body, const ProcessOptions& options) {
    auto child = std::make_shared<api::ProcessImpl>(impl_, std::move(body), options);
    const NTSTATUS status = child->created();
    if (child->exists()) impl_.adopt(child);
    if (NT_SUCCESS(status)) return ChildProcess(std::move(child));
    return Error{ErrorCode::request_failed, fmt::format("the process was not created: {}", status_name(status)),
                 status};
}

std::uint64_t Process::id() const noexcept { return impl_.process().id; }

Result<ProcessHandle> Process::open_process(std::uint64_t id, std::uint32_t access) {
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, nullptr, 0, nullptr, nullptr);
    CLIENT_ID client{reinterpret_cast<HANDLE>(id), nullptr};
    HANDLE handle = nullptr;
    const NTSTATUS status = NtOpenProcess(&handle, access, &attributes, &client);
    if (NT_SUCCESS(status))
        return ProcessHandle(std::make_unique<api::HandleState>(api::HandleState{impl_.owner(), handle}));
    return Error{ErrorCode::request_failed, fmt::format("cannot open process {}: {}", id, status_name(status)), status};
}

ProcessHandle::ProcessHandle(std::unique_ptr<api::HandleState> state) : state_(std::move(state)) {}
ProcessHandle::ProcessHandle(ProcessHandle&&) noexcept = default;
ProcessHandle& ProcessHandle::operator=(ProcessHandle&& other) noexcept {
    if (this != &other) {
        close();
        state_ = std::move(other.state_);
    }
    return *this;
}

ProcessHandle::~ProcessHandle() { close(); }

Status ProcessHandle::close() {
    const auto state = std::move(state_);
    return state != nullptr && state->owner().runs_now() ? NtClose(state->handle) : STATUS_INVALID_HANDLE;
}

std::uint32_t ProcessHandle::granted_access() const {
    PUBLIC_OBJECT_BASIC_INFORMATION information{};
    NtQueryObject(api::usable(state_, "a process handle").handle, ObjectBasicInformation, &information,
                  sizeof information, nullptr);
    return information.GrantedAccess;
}

Status ProcessHandle::terminate(Status exit_status) {
    return NtTerminateProcess(api::usable(state_, "a process handle").handle, exit_status);
}

} // namespace dirql
