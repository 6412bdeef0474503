#pragma once

namespace oco {

// Makes OpenSSL free through the wiping heap too. Before OpenSSL's first allocation.
void use_wiping_heap();

// Gives pages that the heap does not need back to the system: the allocator keeps what a burst of
// rotations took. Takes a few milliseconds where there is much.
void return_free_memory();

} // namespace oco
