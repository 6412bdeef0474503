// Boost.JSON, compiled once: for the models, which share no code with the operator.
#include <boost/json/src.hpp>
