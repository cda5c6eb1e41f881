// Executive resources: locks that one thread owns exclusively or several share.
//
// An owner is a thread, or what ExSetResourceOwnerPointer put in its place (an address whose two lowest bits are set). The first
// owner stands in OwnerEntry, more of them in OwnerTable, pool memory that grows with the number of owners and is kept until
// the resource is deleted. There is always room for everyone who waits for shared access, so that a release, which may be
// called at DISPATCH_LEVEL, never needs memory.
#pragma once

#include "ke/lock_wait.hpp"

#include <ntifs.h>

#include <cstddef>

namespace dirql::ex {

// A resource that was initialised, not deleted, and lies in this memory; or null.
[[nodiscard]] const ERESOURCE* find_resource(std::uintptr_t begin, std::size_t bytes) noexcept;

} // namespace dirql::ex
