// Mutexes: KMUTEX is a KMUTANT whose ownership keeps normal kernel APCs away (a critical region).
#pragma once

#include "ke/wait.hpp"

namespace dirql::ke {

[[nodiscard]] bool mutant_owned_by(const DISPATCHER_HEADER& header, const Thread& thread) noexcept;
// One more level of ownership, of which there are no more than MINLONG. True when the mutant was abandoned by its last owner.
bool acquire_mutant(DISPATCHER_HEADER& header, Thread& thread) noexcept;
// Bug check: a thread that ends owns a mutex of the kernel.
void refuse_held_mutexes(Thread& thread) noexcept;
// A thread that ends abandons the mutants of applications that it owns.
void abandon_mutants(Thread& thread) noexcept;

} // namespace dirql::ke
