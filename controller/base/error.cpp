#include "base/error.hpp"

#include <stdexcept>

namespace oco {

void throw_exception_from_error(const Error& error, const boost::source_location& /*where*/) {
    throw std::logic_error("unchecked error: " + error.message);
}

} // namespace oco
