-- Functions of Trino that DuckDB lacks or names otherwise, and that sqlglot does not translate.
CREATE MACRO arrays_overlap(a, b) AS list_has_any(a, b);
CREATE MACRO array_union(a, b) AS list_distinct(list_concat(a, b));
CREATE MACRO bitwise_left_shift(a, b) AS a << b;
CREATE MACRO bitwise_right_shift(a, b) AS a >> b;
CREATE MACRO codepoint(a) AS unicode(a);
CREATE MACRO e() AS exp(1.0::DOUBLE);
CREATE MACRO every(a) AS bool_and(a);
CREATE MACRO hamming_distance(a, b) AS hamming(a, b);
CREATE MACRO infinity() AS 'Infinity'::DOUBLE;
CREATE MACRO is_finite(a) AS isfinite(a);
CREATE MACRO is_infinite(a) AS isinf(a);
CREATE MACRO map_agg(a, b) AS map(list(a), list(b));
CREATE MACRO nan() AS 'NaN'::DOUBLE;
CREATE MACRO zip(a, b) AS list_zip(a, b);
