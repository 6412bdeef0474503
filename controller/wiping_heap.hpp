#pragma once

namespace oco {

// Makes OpenSSL free through the wiping heap too. Before OpenSSL's first allocation.
void use_wiping_heap();

} // namespace oco
