// The labelled series of one metric, on top of prometheus-cpp. Included by metrics.cpp only.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cassert>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace oco::ops {

struct Description {
    std::string name;
    std::string help;
    std::vector<std::string> labels;
};

template<class T>
auto build() {
    if constexpr (std::is_same_v<T, prometheus::Counter>)
        return prometheus::BuildCounter();
    else if constexpr (std::is_same_v<T, prometheus::Gauge>)
        return prometheus::BuildGauge();
    else
        return prometheus::BuildHistogram();
}

// T: prometheus::Counter, Gauge or Histogram. Finds a series by its label values without building
// a map of labels each time, and forgets all series that share the first value.
template<class T>
class Series {
  public:
    Series(prometheus::Registry& registry, Description description,
           std::vector<double> buckets = {})
        : labels_(std::move(description.labels)), buckets_(std::move(buckets)),
          family_(build<T>().Name(description.name).Help(description.help).Register(registry)) {}

    // Starts the series where there is none. One value for each label, in their order.
    T& at(std::initializer_list<std::string_view> values) {
        assert(values.size() == labels_.size());
        std::string key;
        for (const std::string_view value : values)
            key.append(value).push_back('\0'); // ends a value: no name holds it
        const auto found = series_.find(key);
        if (found != series_.end())
            return *found->second;
        return *series_.emplace(std::move(key), &start(values)).first->second;
    }

    void forget(std::string_view first_value) {
        std::string prefix(first_value);
        prefix.push_back('\0');
        auto entry = series_.lower_bound(prefix);
        while (entry != series_.end() && entry->first.starts_with(prefix)) {
            family_.Remove(entry->second);
            entry = series_.erase(entry);
        }
    }

  private:
    T& start(std::initializer_list<std::string_view> values) {
        prometheus::Labels labels;
        const auto* value = values.begin();
        for (const std::string& label : labels_)
            labels.emplace(label, *value++);
        if constexpr (std::is_same_v<T, prometheus::Histogram>)
            return family_.Add(labels, buckets_);
        else
            return family_.Add(labels);
    }

    std::vector<std::string> labels_;
    std::vector<double> buckets_; // of a histogram
    prometheus::Family<T>& family_;
    std::map<std::string, T*> series_;
};

} // namespace oco::ops
