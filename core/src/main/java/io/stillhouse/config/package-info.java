/**
 * Every setting, declared once: key, default, parser, rule, the rule in words, and what it means. A
 * recipe is a HOCON file; {@code key=value} arguments win over it. Unknown keys are errors and all
 * problems are reported together.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.config;
