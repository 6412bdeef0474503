// The separately compiled parts of Boost.JSON.
#include <boost/json/src.hpp>
