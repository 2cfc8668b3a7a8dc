-- GiveUp: marks dead letters, whose text is a JSON object. Its other members are left as they are: numbers of Lua would not
-- keep the times, and no value of them can hold the mark, as text is in base64.
local MARK = '"given_up":true'
local letters = key()
local n = 0
for _ = 1, num() do
  local id = arg()
  local letter = redis.call('HGET', letters, id)
  if letter and not string.find(letter, MARK, 1, true) then
    redis.call('HSET', letters, id, string.sub(letter, 1, -2) .. ',' .. MARK .. '}')
    n = n + 1
  end
end
return {'OK', n}
