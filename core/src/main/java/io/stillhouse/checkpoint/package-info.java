/**
 * Weights on disk: safetensors files, Hugging Face directories, and import from what other tools
 * wrote. What is wrong with a directory is found from its headers, before any weight is read or any
 * output written.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.checkpoint;
