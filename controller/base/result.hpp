// Result<T>: a value, or an Error instead. Expected failures are returned this way; exceptions stop
// at the border to third-party code.
#pragma once

#include "base/error.hpp"

#include <boost/system/result.hpp>

namespace oco {

template<class T>
using Result = boost::system::result<T, Error>;

} // namespace oco
