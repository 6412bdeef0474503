// Lines that take turns: one for each flow (a namespace), in the order of arrival.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <utility>

namespace oco::work {

template<class Item>
class Lines {
  public:
    void push(const std::string& flow, Item item) {
        lines_[flow].push_back(std::move(item));
        ++size_;
    }

    // Not when empty.
    Item pop() {
        auto line = lines_.upper_bound(last_flow_);
        if (line == lines_.end())
            line = lines_.begin();
        last_flow_ = line->first;
        Item item = std::move(line->second.front());
        line->second.pop_front();
        if (line->second.empty())
            lines_.erase(line);
        --size_;
        return item;
    }

    [[nodiscard]] bool empty() const { return size_ == 0; }

    [[nodiscard]] std::size_t size() const { return size_; }

    [[nodiscard]] std::size_t size(const std::string& flow) const {
        const auto line = lines_.find(flow);
        return line == lines_.end() ? 0 : line->second.size();
    }

  private:
    std::map<std::string, std::deque<Item>> lines_; // none is empty
    std::string last_flow_;                         // that had its turn
    std::size_t size_ = 0;
};

} // namespace oco::work
