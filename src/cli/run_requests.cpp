#include "cli/run_requests.hpp"

#include "cli/run_words.hpp"

#include <ntifs.h>

#include <fmt/format.h>

#include <algorithm>
#include <new>

namespace dirql::cli {

namespace {

// One buffer of a request at the address that the driver is told.
class StagedBuffer {
public:
    StagedBuffer(Process& process, const RequestBuffer& buffer) : process_(process) {
        if (const auto* raw = std::get_if<RawBuffer>(&buffer))
            use(*raw);
        else
            copy(std::get<BufferContent>(buffer));
    }
    StagedBuffer(const StagedBuffer&) = delete;
    StagedBuffer& operator=(const StagedBuffer&) = delete;
    ~StagedBuffer() {
        if (own_ != nullptr) process_.free(own_);
    }

    void* address() const noexcept { return address_; }
    ULONG length() const noexcept { return length_; }
    // What the buffer holds now. A raw buffer is not looked at: nothing need be there.
    std::span<const std::byte> content() const noexcept { return {own_, own_ == nullptr ? 0 : length_}; }

private:
    void use(const RawBuffer& raw) noexcept {
        address_ = reinterpret_cast<void*>(raw.address);
        length_ = raw.length;
    }

    void copy(const BufferContent& bytes) {
        if (bytes.empty()) return;
        own_ = static_cast<std::byte*>(process_.allocate(bytes.size()));
        if (own_ == nullptr) throw std::bad_alloc();
        std::ranges::copy(bytes, own_);
        address_ = own_;
        length_ = static_cast<ULONG>(bytes.size());
    }

    Process& process_;
    std::byte* own_ = nullptr;
    void* address_ = nullptr;
    ULONG length_ = 0;
};

std::string request_text(const DeviceRequest& request) {
    return fmt::format("{} 0x{:x}", request.device, request.code);
}

std::string answer_text(Status status, std::uint64_t information, std::span<const std::byte> data) {
    std::string text = fmt::format("{}, {} {}", status_name(status), information, information == 1 ? "byte" : "bytes");
    if (!data.empty()) text += ": " + hex_text(data);
    return text;
}

// A service that refuses at once leaves the status block alone.
std::string control(Process& process, File& file, const DeviceRequest& request) {
    const StagedBuffer in(process, request.in);
    const StagedBuffer out(process, request.out);
    IO_STATUS_BLOCK block{};
    const NTSTATUS status = NtDeviceIoControlFile(file.handle(), nullptr, nullptr, nullptr, &block, request.code,
                                                  in.address(), in.length(), out.address(), out.length());
    const bool brings_data = !NT_ERROR(status);
    const std::size_t count = std::min<std::size_t>(block.Information, out.content().size());
    return answer_text(status, block.Information, out.content().first(brings_data ? count : 0));
}

// The devices that one thread has open.
class OpenDevices {
public:
    explicit OpenDevices(Process& process) : process_(process) {}
    OpenDevices(const OpenDevices&) = delete;
    OpenDevices& operator=(const OpenDevices&) = delete;
    ~OpenDevices() {
        while (!files_.empty()) files_.pop_back();
    }

    Result<File*> get(const std::string& device) {
        const auto known = std::ranges::find(files_, device, &Entry::device);
        if (known != files_.end()) return &known->file;
        auto opened = process_.open(device);
        if (!opened) return opened.error();
        files_.push_back({device, std::move(opened).value()});
        return &files_.back().file;
    }

private:
    struct Entry {
        std::string device;
        File file;
    };
    Process& process_;
    std::vector<Entry> files_;
};

std::string perform(Process& process, OpenDevices& devices, const DeviceRequest& request) {
    try {
        const auto file = devices.get(request.device);
        if (!file) return fmt::format("{}: cannot open: {}", request_text(request), status_name(file.error().status));
        return fmt::format("{}: {}", request_text(request), control(process, *file.value(), request));
    } catch (const std::bad_alloc&) {
        return request_text(request) + ": no memory left for its buffers";
    }
}

} // namespace

void perform_requests(Process& process, std::span<const DeviceRequest> requests, const LineSink& tell) {
    OpenDevices devices(process);
    for (const auto& request : requests) tell(perform(process, devices, request));
}

} // namespace dirql::cli
