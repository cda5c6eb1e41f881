// Files that application code of a machine has open, and the I/O it does on them.
#pragma once

#include <dirql/result.hpp>

#include <cstddef>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace dirql {

using Bytes = std::vector<std::byte>;

/// The bytes of a text, without a terminator.
[[nodiscard]] Bytes bytes(std::string_view text);
[[nodiscard]] Bytes bytes(std::initializer_list<unsigned> values);

/// What a request came to: the status block's two words, and the data that a read or control request brought.
struct IoResult {
    Status status = 0;
    std::uint64_t information = 0; ///< of the status block: as a rule, how many bytes
    Bytes data;

    [[nodiscard]] bool ok() const noexcept { return succeeded(status); }
};

struct OpenOptions {
    std::uint32_t access = 0xC000'0000; ///< GENERIC_READ | GENERIC_WRITE
    std::uint32_t share = 7;            ///< FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE
    std::uint32_t disposition = 1;      ///< FILE_OPEN
    std::uint32_t create_options = 0;   ///< FILE_... options beside those that `overlapped` decides
    bool overlapped = false;            ///< requests return at once, as pending; see File::start_read and its like
};

/// How the end of a request is told besides by Request::wait. Of an asynchronous one as of one that ends at once with success.
struct RequestOptions {
    /// Of the packet that goes to the file's completion port; 0: none goes there.
    std::uint64_t context = 0;
    /// Called as an APC: in the thread that started the request, when it waits alertably (Process::sleep_alertably), if the Request
    /// still exists. With a file that has a completion port the request fails with STATUS_INVALID_PARAMETER.
    std::function<void(const IoResult&)> on_end = {};
};

/// What a completion port holds: the end of a request on one of its files, or what was posted.
struct PortPacket {
    std::uint64_t key = 0;     ///< of the file, see File::set_port
    std::uint64_t context = 0; ///< of the request, see RequestOptions
    Status status = 0;
    std::uint64_t information = 0;
};

namespace api {
struct FileState;
struct PortState;
struct RequestState;
} // namespace api

/// A completion port of an application, made by Process::create_port. Used and closed as a File is.
class CompletionPort {
public:
    CompletionPort(CompletionPort&&) noexcept;
    CompletionPort& operator=(CompletionPort&&) noexcept;
    ~CompletionPort();

    /// The oldest packet (NtRemoveIoCompletion). Waits for one, or no longer than this; none when the time is up, or when the port
    /// was closed meanwhile.
    std::optional<PortPacket> take();
    std::optional<PortPacket> take(std::chrono::nanoseconds at_most);
    /// NtSetIoCompletion. STATUS_INSUFFICIENT_RESOURCES.
    Status post(const PortPacket& packet);
    /// How many packets lie there.
    [[nodiscard]] std::size_t size() const;

    Status close();
    [[nodiscard]] void* handle() const noexcept;

private:
    friend class File;
    friend class Process;
    explicit CompletionPort(std::unique_ptr<api::PortState> state);
    std::unique_ptr<api::PortState> state_;
};

/// A request under way on an overlapped file. When destroyed inside of its run, it is cancelled, as by cancel(), and waited for.
/// One that was moved from, or that is used outside of its run, throws std::logic_error.
class Request {
public:
    Request(Request&&) noexcept;
    Request& operator=(Request&&) noexcept;
    ~Request();

    /// Waits for the end.
    IoResult wait();
    /// Has it ended?
    [[nodiscard]] bool done() const;
    /// Asks for its cancellation (NtCancelIoFileEx), which its driver decides upon. STATUS_NOT_FOUND when it has ended already,
    /// STATUS_INVALID_HANDLE when its file was closed.
    Status cancel();
    /// What the service returned when it was started: STATUS_PENDING, or its final status.
    [[nodiscard]] Status started() const;

private:
    friend class File;
    explicit Request(std::unique_ptr<api::RequestState> state);
    std::unique_ptr<api::RequestState> state_;
};

/// An open handle. Used inside the run whose process opened it; closed when destroyed. The run's end closes what is open, so a
/// File may be kept beyond it, but not used: that throws std::logic_error, as does the use of one that was closed or moved from.
/// Buffers of the host are copied through the process's own memory, so a driver sees user addresses.
class File {
public:
    File(File&&) noexcept;
    File& operator=(File&&) noexcept;
    ~File();

    // Requests are at PASSIVE_LEVEL, return the statuses of their services, and have their buffers copied to and from the arena:
    // std::bad_alloc when that is full (64 MiB a process).

    /// NtReadFile of up to `length` bytes. `offset`: where, or -1 for the file's own position (0 for overlapped files).
    IoResult read(std::size_t length, std::int64_t offset = -1);
    /// NtWriteFile.
    IoResult write(std::span<const std::byte> data, std::int64_t offset = -1);
    /// NtDeviceIoControlFile. For METHOD_IN_DIRECT, `out` is the second buffer's first content.
    IoResult device_control(std::uint32_t code, std::span<const std::byte> in = {}, std::size_t out_length = 0,
                            std::span<const std::byte> out = {});

    /// The same, not waited for, on a file that was opened as overlapped. On another they wait all the same.
    [[nodiscard]] Request start_read(std::size_t length, std::int64_t offset = 0, RequestOptions options = {});
    [[nodiscard]] Request start_write(std::span<const std::byte> data, std::int64_t offset = 0,
                                      RequestOptions options = {});
    [[nodiscard]] Request start_device_control(std::uint32_t code, std::span<const std::byte> in = {},
                                               std::size_t out_length = 0, RequestOptions options = {});

    /// NtQueryInformationFile: up to `length` bytes of this FILE_INFORMATION_CLASS. STATUS_INVALID_INFO_CLASS,
    /// STATUS_INFO_LENGTH_MISMATCH, STATUS_ACCESS_DENIED, or what the driver says.
    IoResult query_information(std::uint32_t information_class, std::size_t length);
    /// NtSetInformationFile, likewise.
    Status set_information(std::uint32_t information_class, std::span<const std::byte> data);
    /// Where the next transfer without an offset begins (FilePositionInformation). An overlapped file has no position of its own:
    /// what its driver says, or -1.
    [[nodiscard]] std::int64_t position();
    /// STATUS_INVALID_PARAMETER for what is negative.
    Status set_position(std::int64_t position);

    /// NtFlushBuffersFile.
    Status flush();
    /// Asks for the cancellation of all requests that this thread has started on the file, and waits for their ends (NtCancelIoFile).
    Status cancel();
    /// Requests of this overlapped file end in packets of the port, with this key; for good. STATUS_INVALID_PARAMETER for a file that is
    /// not overlapped, or has a port.
    Status set_port(const CompletionPort& port, std::uint64_t key);

    /// Closes the handle now; the status of NtClose. STATUS_INVALID_HANDLE when that has been done, or the run has ended.
    Status close();
    /// The handle, for calling Nt services directly. Null once closed.
    [[nodiscard]] void* handle() const noexcept;

private:
    friend class Process;
    explicit File(std::unique_ptr<api::FileState> state);
    std::unique_ptr<api::FileState> state_;
};

} // namespace dirql

#pragma GCC visibility pop
