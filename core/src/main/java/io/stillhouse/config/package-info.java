/**
 * The settings. {@link io.stillhouse.config.Options} declares each one once: key, default, parser,
 * rule and meaning; {@link io.stillhouse.config.CommandKeys} lists the keys of each command. A
 * recipe is a HOCON file, and {@code key=value} arguments override it. Unknown keys are errors, and
 * all problems are reported together.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.config;
