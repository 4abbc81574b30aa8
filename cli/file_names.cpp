#include "cli/file_names.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "cli/text.h"
#include "proto/typed.h"

namespace fieldpost::cli {

std::string clean_name(const std::string& name) {
    std::string clean;
    for (const char c : safe_line(name)) {
        clean += c == '/' || c == '\\' ? '_' : c;
    }
    while (!clean.empty() && (clean.front() == '.' || clean.front() == '-')) {
        clean.erase(0, 1);
    }
    return clean.empty() ? "attachment" : clean;
}

std::string plain_name(const std::string& name) {
    constexpr std::size_t stem_bytes_max = 100;
    constexpr std::size_t ending_bytes_max = 16;
    const std::filesystem::path whole(name);
    auto stem = whole.stem().string();
    auto ending = whole.extension().string();
    for (auto* part : {&stem, &ending}) {
        std::ranges::replace_if(
            *part, [](char c) { return std::string_view("<>:\"|?*").contains(c); }, '_');
        const auto bytes_max = part == &stem ? stem_bytes_max : ending_bytes_max;
        part->resize(cut_text(*part, bytes_max).size());
        while (!part->empty() && (part->back() == '.' || part->back() == ' ')) {
            part->pop_back();
        }
    }
    return stem.empty() ? "attachment" + ending : stem + ending;
}

}  // namespace fieldpost::cli
