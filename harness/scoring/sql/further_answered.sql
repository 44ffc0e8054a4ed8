-- How many answers name a second and a third next operation.
SELECT count(answered_second) AS second, count(answered_third) AS third FROM facts
