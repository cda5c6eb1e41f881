// Files and requests from the inside.
#pragma once

#include "api/owner.hpp"

#include <dirql/file.hpp>

#include <ntifs.h>

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

    [[nodiscard]] const Owner& owner() const noexcept { return file.process; }
    [[nodiscard]] IO_STATUS_BLOCK* iosb() const noexcept {
        return reinterpret_cast<IO_STATUS_BLOCK*>(status_block.data());
    }
    [[nodiscard]] IoResult result() const;
};

} // namespace dirql::api
