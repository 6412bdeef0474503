// Result<T>: a value, or the Error that took its place. Expected failures travel this way;
// exceptions stop at the borders to third-party code.
#pragma once

#include "base/error.hpp"

#include <boost/system/result.hpp>

namespace oco {

template<class T>
using Result = boost::system::result<T, Error>;

} // namespace oco
