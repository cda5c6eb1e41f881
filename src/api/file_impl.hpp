// Files and requests from the inside.
#pragma once

#include <dirql/file.hpp>

#include <ntifs.h>

#include <memory>

namespace dirql::ke {
struct Process;
}

namespace dirql::api {

// Memory of a process's arena, for buffers that a driver is to see at user addresses.
class UserBuffer {
public:
    UserBuffer() = default;
    // Copies `content` to its beginning; the rest is zero. Throws std::bad_alloc when the arena is exhausted.
    UserBuffer(ke::Process& process, std::size_t size, std::span<const std::byte> content = {});
    UserBuffer(UserBuffer&& other) noexcept;
    UserBuffer& operator=(UserBuffer&& other) noexcept;
    ~UserBuffer();

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    ke::Process* process_ = nullptr;
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

struct FileState {
    ke::Process* process;
    HANDLE handle;
    bool overlapped;
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

    [[nodiscard]] IO_STATUS_BLOCK* iosb() const noexcept {
        return reinterpret_cast<IO_STATUS_BLOCK*>(status_block.data());
    }
    [[nodiscard]] IoResult result() const;
};

} // namespace dirql::api
