#include "ldr/linked_image.hpp"

#include "ldr/host_object.hpp"

#include <cstring>
#include <utility>

namespace dirql::ldr {

LinkedImage::LinkedImage(std::string name, void* entry, std::vector<Data> data, AddressRange text)
    : name_(std::move(name)), entry_(entry), text_(text), data_(std::move(data)) {
    if (text_.empty()) {
        if (const auto host = host_object_of(reinterpret_cast<std::uintptr_t>(entry))) text_ = host->text;
    }
    for (const auto& range : data_) pristine_.insert(pristine_.end(), range.begin(), range.end());
}

void LinkedImage::release() noexcept {
    restore();
    claimed_.store(false, std::memory_order_release);
}

void LinkedImage::restore() noexcept {
    const auto* from = pristine_.data();
    for (const auto& range : data_) {
        if (range.empty()) continue;
        std::memcpy(range.data(), from, range.size());
        from += range.size();
    }
}

} // namespace dirql::ldr
