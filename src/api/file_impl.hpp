// Files and requests from the inside.
#pragma once

#include "api/owner.hpp"

#include <dirql/file.hpp>

#include <ntifs.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace dirql::api {

// Memory of a process's arena, for buffers that a driver is to see at user addresses.
class UserBuffer {
public:
    UserBuffer() = default;
    // Copies `content` to its beginning; the rest is zero. Throws std::bad_alloc when the arena is exhausted.
    UserBuffer(const Owner& owner, std::size_t size, std::span<const std::byte> content = {});
    UserBuffer(UserBuffer&& other) noexcept;
    UserBuffer& operator=(UserBuffer&& other) noexcept;
    ~UserBuffer();

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    Owner owner_;
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

struct RequestState;

// What an APC finds of its request. In the process's arena: it may be delivered, or not, when the Request is gone.
struct ApcNode {
    RequestState* request; // null: nobody wants to hear
    bool delivered;
};

struct PortState {
    Owner process;
    HANDLE handle;

    [[nodiscard]] const Owner& owner() const noexcept { return process; }
};

struct FileState {
    Owner process;
    HANDLE handle;
    bool overlapped;

    [[nodiscard]] const Owner& owner() const noexcept { return process; }
};

// The status block lies in user memory, as an application's would.
struct RequestState {
    FileState file;
    HANDLE event = nullptr;
    UserBuffer status_block;
    UserBuffer in;
    UserBuffer out;
    bool brings_data = false;
    Status started = 0;
    std::uint64_t context = 0; // for the file's port
    std::function<void(const IoResult&)> on_end;
    ApcNode* apc = nullptr; // with on_end

    RequestState() = default;
    RequestState(const RequestState&) = delete;
    RequestState& operator=(const RequestState&) = delete;
    ~RequestState();
    [[nodiscard]] PIO_APC_ROUTINE apc_routine() const noexcept;
    [[nodiscard]] void* apc_context() const noexcept;

    [[nodiscard]] const Owner& owner() const noexcept { return file.process; }
    [[nodiscard]] IO_STATUS_BLOCK* iosb() const noexcept {
        return reinterpret_cast<IO_STATUS_BLOCK*>(status_block.data());
    }
    [[nodiscard]] IoResult result() const;
};

} // namespace dirql::api
