// Reports as field offices write them, about 600 bytes each, in Korean, Chinese, French or English.
//
// Promise: report `number` is the same in every run and on every machine. Every sentence is put
// together anew from a happening, its time, place and consequence, so that few ever repeat.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fieldpost::bench {

std::string report_text(std::uint32_t number);
// The first `count` texts. If the environment has FIELDPOST_TEXTS: the files of the folder that it
// names instead, in the order of their names, because compression depends on the texts.
std::vector<std::string> report_texts(std::uint32_t count);

}  // namespace fieldpost::bench
